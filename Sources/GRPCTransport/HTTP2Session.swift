import CNghttp2
import SystemIO

/// What an HTTP/2 session tells its connection; called while bytes are fed in or drawn out, so
/// nothing here may do either.
@EventLoop
protocol HTTP2SessionDelegate: AnyObject {
    var session: HTTP2Session { get }
    /// A frame of the peer begins.
    /// - Returns: whether to go on; otherwise the connection is over.
    func frameBegan(_ frame: PeerConduct.Frame) -> Bool
    /// A frame was invalid, and the stream is being reset for it, or the connection ended.
    /// - Returns: as above.
    func invalidFrameReceived() -> Bool
    /// A header list began; `isFirst` unless it is a trailer.
    func headersBegan(stream: Int32, isFirst: Bool)
    /// A field of it; the bytes are valid during the call.
    func headerReceived(
        stream: Int32, name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>
    ) -> HeaderVerdict
    func headersEnded(stream: Int32, endsStream: Bool)
    func dataReceived(stream: Int32, _ bytes: UnsafeRawBufferPointer)
    /// The peer has said all it will on the stream, with a DATA frame.
    func dataEnded(stream: Int32)
    func streamClosed(stream: Int32, errorCode: UInt32)
    func dataSent(_ length: Int)
    /// A header list could not be sent, for instance because it is too long.
    func headersNotSent(stream: Int32)
    /// We, or nghttp2 by itself, told the peer that the connection is over.
    func goAwaySent(errorCode: UInt32)
    /// Our last frame on the stream has been written.
    func streamEndSent(stream: Int32)
    func goAwayReceived()
    func pingAcknowledged(_ purpose: PingPurpose)
    /// The peer has seen our settings.
    func settingsAcknowledged()
    /// The peer's settings, the first thing it says, have come, or new ones.
    func settingsReceived()
    func nextData(stream: Int32, into buffer: UnsafeMutableRawBufferPointer) -> OutboundData
}

/// Why a peer is asked for a sign of life.
enum PingPurpose: UInt8 {
    case sign
    /// To find out when it has seen the notice of a shutdown.
    case notice
    /// To find out how long a round trip takes.
    case measurement
}

/// What becomes of a header list after one of its fields.
enum HeaderVerdict {
    case proceed
    case resetStream
    case endConnection
}

/// What a stream has to send next.
enum OutboundData {
    /// Bytes were written; more may follow.
    case bytes(Int)
    /// Nothing now; the stream is resumed later.
    case none
    /// Bytes were written, perhaps none, and they are the last; trailers follow when there are
    /// any.
    case last(Int, trailers: HeaderList?)
}

/// The limits of an HTTP/2 session.
struct HTTP2Limits {
    var maximumConcurrentStreams: Int
    /// Bytes a peer may send on a stream before we have taken them.
    var streamWindow: Int
    /// What that may become where a long line would otherwise stand idle.
    var widestStreamWindow: Int
    var maximumHeaderListSize: Int
    /// What a peer's frames may cost; nil for a server, which the client has chosen itself.
    var conduct: PeerConduct.Limits?
}

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

    fileprivate func submitTrailers(stream: Int32, _ headers: HeaderList) {
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

    /// Lets the peer send as many more bytes on the stream.
    func release(stream: Int32, _ count: Int) {
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

    // MARK: Callbacks

    /// The most bytes put into one DATA frame: larger ones save little and hold up others.
    private nonisolated static let largestFrameSent = 64 << 10

    private nonisolated static var dataSource: nghttp2_data_provider {
        var provider = nghttp2_data_provider()
        provider.read_callback = { _, stream, buffer, length, flags, _, context in
            let destination = UnsafeMutableRawBufferPointer(start: buffer, count: length)
            return EventLoop.assumeIsolated(with: (destination, flags, context)) {
                HTTP2Session.readData(stream, $0.0, $0.1, $0.2)
            }
        }
        return provider
    }

    private static func readData(
        _ stream: Int32, _ destination: UnsafeMutableRawBufferPointer,
        _ flags: UnsafeMutablePointer<UInt32>?, _ context: UnsafeMutableRawPointer?
    ) -> Int {
        guard let connection = delegate(of: context) else {
            return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
        }
        switch connection.nextData(stream: stream, into: destination) {
        case .bytes(let count):
            return count
        case .none:
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        case .last(let count, let trailers):
            flags?.pointee |= UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue)
            if let trailers {
                flags?.pointee |= UInt32(NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue)
                connection.session.submitTrailers(stream: stream, trailers)
            }
            return count
        }
    }

    private nonisolated static func delegate(
        of context: UnsafeMutableRawPointer?
    ) -> (any HTTP2SessionDelegate)? {
        guard let context else { return nil }
        return Unmanaged<Callbacks>.fromOpaque(context).takeUnretainedValue().delegate
    }

    /// Runs `body` with the connection that a callback's user data belong to, and what else the
    /// callback was given.
    private nonisolated static func notify<Value>(
        _ context: UnsafeMutableRawPointer?, of value: Value,
        _ body: @EventLoop (any HTTP2SessionDelegate, Value) -> CInt
    ) -> CInt {
        guard let delegate = delegate(of: context) else { return 0 }
        return EventLoop.assumeIsolated(with: (delegate, value)) { body($0.0, $0.1) }
    }

    private nonisolated static func makeCallbacks() -> OpaquePointer? {
        var table: OpaquePointer?
        nghttp2_session_callbacks_new(&table)
        nghttp2_session_callbacks_set_on_begin_headers_callback(table) { _, frame, context in
            guard let frame = frame?.pointee else { return 0 }
            return HTTP2Session.notify(context, of: frame) { delegate, frame in
                let category = frame.headers.cat
                delegate.headersBegan(
                    stream: frame.hd.stream_id,
                    isFirst: category == NGHTTP2_HCAT_REQUEST || category == NGHTTP2_HCAT_RESPONSE)
                return 0
            }
        }
        nghttp2_session_callbacks_set_on_header_callback(table) {
            _, frame, name, nameLength, value, valueLength, _, context in
            guard let frame = frame?.pointee else { return 0 }
            let name = UnsafeBufferPointer(start: name, count: nameLength)
            let value = UnsafeBufferPointer(start: value, count: valueLength)
            return HTTP2Session.notify(context, of: (frame.hd.stream_id, name, value)) {
                delegate, given in
                switch delegate.headerReceived(stream: given.0, name: given.1, value: given.2) {
                case .proceed: 0
                case .resetStream: CInt(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
                case .endConnection: CInt(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
                }
            }
        }
        nghttp2_session_callbacks_set_on_begin_frame_callback(table) { _, header, context in
            guard let header = header?.pointee else { return 0 }
            let frame = PeerConduct.Frame(
                type: header.type, flags: header.flags, length: header.length)
            return HTTP2Session.notify(context, of: frame) { delegate, frame in
                delegate.frameBegan(frame) ? 0 : CInt(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
            }
        }
        nghttp2_session_callbacks_set_unpack_extension_callback(table) { _, _, _, _ in
            CInt(NGHTTP2_ERR_CANCEL.rawValue)
        }
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(table) { _, _, _, context in
            HTTP2Session.notify(context, of: ()) { delegate, _ in
                delegate.invalidFrameReceived()
                    ? 0 : CInt(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
            }
        }
        nghttp2_session_callbacks_set_on_frame_not_send_callback(table) { _, frame, _, context in
            guard let header = frame?.pointee.hd, header.type == NGHTTP2_HEADERS.rawValue
            else { return 0 }
            return HTTP2Session.notify(context, of: header.stream_id) { delegate, stream in
                delegate.headersNotSent(stream: stream)
                return 0
            }
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(table) { _, frame, context in
            guard let frame = frame?.pointee else { return 0 }
            return HTTP2Session.notify(context, of: frame) { delegate, frame in
                HTTP2Session.received(frame, by: delegate)
                return 0
            }
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table) {
            _, _, stream, bytes, count, context in
            let bytes = UnsafeRawBufferPointer(start: bytes, count: count)
            return HTTP2Session.notify(context, of: (stream, bytes)) { delegate, given in
                delegate.dataReceived(stream: given.0, given.1)
                return 0
            }
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(table) {
            _, stream, errorCode, context in
            HTTP2Session.notify(context, of: (stream, errorCode)) { delegate, given in
                delegate.streamClosed(stream: given.0, errorCode: given.1)
                return 0
            }
        }
        nghttp2_session_callbacks_set_on_frame_send_callback(table) { _, frame, context in
            guard let frame = frame?.pointee else { return 0 }
            return HTTP2Session.notify(context, of: frame) { delegate, frame in
                HTTP2Session.sent(frame, by: delegate)
                return 0
            }
        }
        nghttp2_session_callbacks_set_data_source_read_length_callback(table) {
            _, _, _, connectionWindow, streamWindow, maximumFrameSize, _ in
            let most = min(UInt32(HTTP2Session.largestFrameSent), maximumFrameSize)
            return max(1, min(Int(most), Int(connectionWindow), Int(streamWindow)))
        }
        return table
    }

    private static func sent(_ frame: nghttp2_frame, by delegate: any HTTP2SessionDelegate) {
        let header = frame.hd
        switch UInt32(header.type) {
        case NGHTTP2_DATA.rawValue: delegate.dataSent(header.length)
        case NGHTTP2_HEADERS.rawValue: break
        case NGHTTP2_GOAWAY.rawValue:
            return delegate.goAwaySent(errorCode: frame.goaway.error_code)
        default: return
        }
        if header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 {
            delegate.streamEndSent(stream: header.stream_id)
        }
    }

    private static func received(_ frame: nghttp2_frame, by delegate: any HTTP2SessionDelegate) {
        let header = frame.hd
        let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue:
            delegate.headersEnded(stream: header.stream_id, endsStream: endsStream)
        case NGHTTP2_DATA.rawValue:
            if endsStream { delegate.dataEnded(stream: header.stream_id) }
        case NGHTTP2_GOAWAY.rawValue:
            delegate.goAwayReceived()
        case NGHTTP2_SETTINGS.rawValue:
            if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0 {
                delegate.settingsReceived()
            } else {
                delegate.settingsAcknowledged()
            }
        case NGHTTP2_PING.rawValue:
            if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0 {
                delegate.pingAcknowledged(
                    PingPurpose(rawValue: frame.ping.opaque_data.0) ?? .sign)
            }
        default: break
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
