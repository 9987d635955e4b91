import CNghttp2

/// Why a stream or a connection ends (RFC 9113, section 7), as nghttp2 takes it.
enum HTTP2ErrorCode {
    static let noError = NGHTTP2_NO_ERROR.rawValue
    static let protocolError = NGHTTP2_PROTOCOL_ERROR.rawValue
    static let internalError = NGHTTP2_INTERNAL_ERROR.rawValue
    static let refusedStream = NGHTTP2_REFUSED_STREAM.rawValue
    static let cancel = NGHTTP2_CANCEL.rawValue
    static let enhanceYourCalm = NGHTTP2_ENHANCE_YOUR_CALM.rawValue
}
