import CNghttp2
import SystemIO

/// What nghttp2 calls, for the session's delegate.
extension HTTP2Session {
    /// The most bytes put into one DATA frame: larger ones save little and hold up others.
    private nonisolated static let largestFrameSent = 64 << 10

    nonisolated static var dataSource: nghttp2_data_provider {
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

    nonisolated static func makeCallbacks() -> OpaquePointer? {
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
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(table) {
            _, frame, _, context in
            HTTP2Session.notify(context, of: frame?.pointee.hd.stream_id ?? 0) { delegate, stream in
                delegate.invalidFrameReceived(stream: stream)
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
