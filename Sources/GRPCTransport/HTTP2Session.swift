import CNghttp2
import SystemIO

/// The one owner of an nghttp2_session: HTTP/2 framing without any I/O.
@EventLoop
final class HTTP2Session {
    private let session: OpaquePointer
    /// The user data of nghttp2's callbacks, which only run within calls made from here.
    private let callbacks: Callbacks

    /// The window of the whole connection. The streams' own windows bound what is held, so this
    /// one is only kept from being what a fast peer waits for: several times a stream's widest,
    /// since it is opened again by halves.
    private static let connectionWindow: Int32 = 64 << 20
    /// The largest frame taken, in bytes: larger ones save little.
    private static let maximumFrameSize: UInt32 = 64 << 10
    /// Acknowledgements owed to a peer that does not read them before it is cut off.
    private static let maximumOutboundAcknowledgements = 128
    /// CONTINUATION frames after a HEADERS frame (CVE-2024-28182): a list within our limit
    /// needs none from a peer that knows how large our frames may be.
    private static let maximumContinuations = 8
    /// Settings in one frame: HTTP/2 and its extensions define about ten.
    private static let maximumSettings = 32
    /// The memory for field names and values seen before, in either direction: HTTP/2's own
    /// default, whatever the peer would like.
    private static let headerTableSize = 4096
    /// The types after HTTP/2's own.
    private static let unknownFrames: ClosedRange<UInt8> = 10...255
    /// nghttp2 counts resets too, but by whole seconds, so it is only the second line.
    private static let resetReserve = 2

    final class Callbacks {
        weak var delegate: (any HTTP2SessionDelegate)?
    }

    init(isServer: Bool, limits: HTTP2Limits, delegate: any HTTP2SessionDelegate) {
        let callbacks = Callbacks()
        callbacks.delegate = delegate
        self.callbacks = callbacks
        var options: OpaquePointer?
        nghttp2_option_new(&options)
        nghttp2_option_set_no_auto_window_update(options, 1)
        nghttp2_option_set_no_closed_streams(options, 1)
        nghttp2_option_set_max_outbound_ack(options, Self.maximumOutboundAcknowledgements)
        nghttp2_option_set_max_continuations(options, Self.maximumContinuations)
        nghttp2_option_set_max_settings(options, Self.maximumSettings)
        nghttp2_option_set_max_deflate_dynamic_table_size(options, Self.headerTableSize)
        // nghttp2 drops frames that it does not know without a word, unless they are asked for;
        // then they can be counted.
        for type in Self.unknownFrames {
            nghttp2_option_set_user_recv_extension_type(options, type)
        }
        if let resets = limits.conduct?.resets {
            nghttp2_option_set_stream_reset_rate_limit(
                options, UInt64(clamping: resets.burst * Self.resetReserve),
                UInt64(clamping: resets.perSecond * Self.resetReserve))
        }
        defer { nghttp2_option_del(options) }
        let table = Self.makeCallbacks()
        defer { nghttp2_session_callbacks_del(table) }
        var session: OpaquePointer?
        let context = Unmanaged.passUnretained(callbacks).toOpaque()
        let status =
            isServer
            ? nghttp2_session_server_new2(&session, table, context, options)
            : nghttp2_session_client_new2(&session, table, context, options)
        // nghttp2 fails here only when memory is exhausted, as every allocation of ours would.
        guard status == 0, let session else { preconditionFailure("nghttp2 is out of memory") }
        self.session = session
        submitSettings(isServer: isServer, limits: limits)
    }

    isolated deinit { nghttp2_session_del(session) }

    private func submitSettings(isServer: Bool, limits: HTTP2Limits) {
        var settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
                value: UInt32(clamping: limits.streamWindow)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                value: UInt32(clamping: limits.maximumHeaderListSize)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_FRAME_SIZE.rawValue),
                value: Self.maximumFrameSize),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                value: UInt32(clamping: limits.maximumConcurrentStreams)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE.rawValue),
                value: UInt32(clamping: Self.headerTableSize)),
        ]
        if !isServer {
            settings.append(
                nghttp2_settings_entry(
                    settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
        }
        // Without its settings a session would have none of its limits.
        let status = nghttp2_submit_settings(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), settings, settings.count)
        precondition(status == 0, "a setting of HTTP/2 is out of its range")
        nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Self.connectionWindow)
    }

    // MARK: Bytes

    /// Whether there is anything left to say or to hear.
    var isAlive: Bool { wantsRead || wantsWrite }
    var wantsRead: Bool { nghttp2_session_want_read(session) != 0 }
    var wantsWrite: Bool { nghttp2_session_want_write(session) != 0 }
    /// Frames that wait to be drawn out.
    var outboundQueueSize: Int { nghttp2_session_get_outbound_queue_size(session) }

    /// Feeds bytes from the peer in.
    ///
    /// - Throws: `HTTP2Error` when the peer broke the protocol beyond repair.
    func receive(_ bytes: UnsafeRawBufferPointer) throws(HTTP2Error) {
        let count = nghttp2_session_mem_recv(
            session, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count)
        guard count == bytes.count else { throw HTTP2Error(code: Int32(clamping: count)) }
    }

    /// Draws the next bytes for the peer out; they stay valid until the next call.
    ///
    /// - Returns: nil when there are none for now.
    func next() throws(HTTP2Error) -> UnsafeRawBufferPointer? {
        var pointer: UnsafePointer<UInt8>?
        let count = nghttp2_session_mem_send(session, &pointer)
        guard count >= 0 else { throw HTTP2Error(code: Int32(clamping: count)) }
        return count == 0 ? nil : UnsafeRawBufferPointer(start: pointer, count: count)
    }

    // MARK: Frames

    /// Opens a stream.
    ///
    /// - Throws: `HTTP2Error` when the connection has no stream identifier left.
    func submitRequest(_ headers: HeaderList) throws(HTTP2Error) -> Int32 {
        let stream = withFields(headers) { fields, count in
            var source = Self.dataSource
            return nghttp2_submit_request(session, nil, fields, count, &source, nil)
        }
        guard stream > 0 else { throw HTTP2Error(code: stream) }
        return stream
    }

    /// Answers a stream; a stream that is gone by now is left alone.
    func submitResponse(stream: Int32, _ headers: HeaderList, endsStream: Bool) {
        withFields(headers) { fields, count in
            if endsStream {
                nghttp2_submit_response(session, stream, fields, count, nil)
            } else {
                var source = Self.dataSource
                nghttp2_submit_response(session, stream, fields, count, &source)
            }
        }
    }

    func submitTrailers(stream: Int32, _ headers: HeaderList) {
        withFields(headers) { fields, count in
            nghttp2_submit_trailer(session, stream, fields, count)
        }
    }

    /// The stream has data again.
    func resume(stream: Int32) {
        nghttp2_session_resume_data(session, stream)
    }

    func reset(stream: Int32, errorCode: UInt32) {
        nghttp2_submit_rst_stream(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, errorCode)
    }

    /// What came on a stream since it was opened again, padding included.
    func unreleased(stream: Int32) -> Int {
        max(0, Int(nghttp2_session_get_stream_effective_recv_data_length(session, stream)))
    }

    /// Lets the peer send as many more bytes on the stream, and tells it so now. Not left to
    /// nghttp2, which does that when half of the window is open: where the first bytes of what
    /// follows complete that half, the rest of it waits for a whole round trip.
    func release(stream: Int32, _ count: Int) {
        nghttp2_submit_window_update(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, Int32(clamping: count))
    }

    /// Lets the peer send on, as it does, on a stream of which nobody takes anything.
    func drop(stream: Int32, _ count: Int) {
        nghttp2_session_consume_stream(session, stream, count)
    }

    /// Lets the peer send as many more bytes on the connection.
    func releaseConnection(_ count: Int) {
        nghttp2_session_consume_connection(session, count)
    }

    func submitPing(_ purpose: PingPurpose) {
        let data = [purpose.rawValue] + [UInt8](repeating: 0, count: 7)
        nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), data)
    }

    /// Lets the peer be further ahead of us on a stream than it was told first.
    func widen(stream: Int32, to window: Int) {
        nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, Int32(clamping: window))
    }

    /// Announces that a GOAWAY comes soon, so that no stream in flight is lost.
    func announceShutdown() {
        nghttp2_submit_shutdown_notice(session)
    }

    /// Takes no further streams; those that were opened go on.
    func goAway(errorCode: UInt32 = HTTP2ErrorCode.noError) {
        nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue),
            nghttp2_session_get_last_proc_stream_id(session), errorCode, nil, 0)
    }

    @discardableResult
    private func withFields<Result>(
        _ headers: HeaderList, _ body: (UnsafePointer<nghttp2_nv>, Int) -> Result
    ) -> Result {
        // All names and values in one buffer, which nghttp2 copies before the call returns.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headers.size)
        for field in headers.fields {
            bytes.append(contentsOf: field.name.utf8)
            bytes.append(contentsOf: field.value.utf8)
        }
        return bytes.withUnsafeMutableBufferPointer { bytes in
            var offset = 0
            let fields = headers.fields.map { field in
                let base = bytes.baseAddress.map { $0 + offset }
                let nameLength = field.name.utf8.count
                let valueLength = field.value.utf8.count
                offset += nameLength + valueLength
                return nghttp2_nv(
                    name: base, value: base.map { $0 + nameLength }, namelen: nameLength,
                    valuelen: valueLength, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
            }
            return fields.withUnsafeBufferPointer { fields in
                guard let base = fields.baseAddress else {
                    preconditionFailure("a header list is never empty")
                }
                return body(base, fields.count)
            }
        }
    }
}

/// A failure that ends an HTTP/2 connection.
struct HTTP2Error: Error, Hashable, CustomStringConvertible {
    /// One of nghttp2's library error codes.
    var code: Int32

    var description: String {
        "HTTP/2: \(String(cString: nghttp2_strerror(code)))"
    }
}
