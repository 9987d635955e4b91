import CCurl
import CSystem
import Glibc
import ServerAddress
import SystemIO

/// One request and its answer: owns libcurl's handle, pauses it in either direction when this
/// side is slow, and hands over what comes.
@EventLoop
final class Transfer {
    let handle: UnsafeMutableRawPointer
    private weak var client: HTTPClient?
    private let body: RequestStream?
    private let headerList: HeaderList?
    private let url: String
    private let unixSocket: String?
    private let destination: Destination
    /// The address that was not connected to.
    private var denial: HTTPError?

    private enum Phase {
        case waiting
        case body
        case ended
        case failed(any Error)
    }
    private var phase = Phase.waiting
    private var status = 0
    private var headers: [String: String] = [:]
    private var headerSize = 0
    private var received: [UInt8] = []
    private var isWritePaused = false
    private var isReadPaused = false
    private var bodyFailure: SystemError?
    private let waiter = Waiter()
    private var idleTimer: EventLoop.Timer?
    private var lastActivity = ContinuousClock.now
    private let idleTimeout: Duration?

    /// What is held for a reader that is slow.
    private static let highWater = 256 << 10
    /// libcurl's buffers, for the transfers that carry images and logs.
    private static let uploadBuffer = 256 << 10
    private static let downloadBuffer = 128 << 10
    private static let largestHeader = 64 << 10

    init(_ request: HTTPRequest, of client: HTTPClient) throws(HTTPError) {
        destination = try Destination(request.url, request.destinations)
        guard let handle = curl_easy_init() else {
            throw HTTPError(.invalid, "libcurl has no handle for a transfer")
        }
        self.handle = handle
        self.client = client
        url = request.url
        unixSocket = request.unixSocket
        idleTimeout = request.idleTimeout
        headerList = HeaderList(request.headers)
        if case .stream(let stream) = request.body { body = stream } else { body = nil }
        configure(request)
    }

    init(_ request: SSHRequest, of client: HTTPClient) throws(HTTPError) {
        destination = try Destination(request.url, request.destinations)
        guard let handle = curl_easy_init() else {
            throw HTTPError(.invalid, "libcurl has no handle for a transfer")
        }
        self.handle = handle
        self.client = client
        url = request.url
        unixSocket = nil
        idleTimeout = request.idleTimeout
        headerList = nil
        body = nil
        configure(request)
    }

    isolated deinit {
        curl_easy_cleanup(handle)
    }

    // MARK: Options

    /// - Parameter protocols: what else libcurl speaks is not meant.
    private func configure(
        protocols: String, _ interface: String?, connectTimeout: Duration
    ) {
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_URL, url)
        set(CURLOPT_PROTOCOLS_STR, protocols)
        set(CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(connectTimeout))
        set(CURLOPT_BUFFERSIZE, Self.downloadBuffer)
        if let interface { set(CURLOPT_INTERFACE, interface) }
        let this = Unmanaged.passUnretained(self).toOpaque()
        _ = cz_curl_set_function(handle, CURLOPT_WRITEFUNCTION, Self.receiveFunction)
        _ = cz_curl_set_pointer(handle, CURLOPT_WRITEDATA, this)
        switch destination.route {
        case .unrestricted: break
        case .judged:
            set(CURLOPT_NOPROXY, "*")
            _ = cz_curl_set_pointer(handle, CURLOPT_OPENSOCKETDATA, this)
            _ = cz_curl_set_open_socket_function(handle, Self.openSocketFunction)
        case .proxy(let proxy):
            set(CURLOPT_PROXY, proxy)
            // In place of the environment's, which has been looked at.
            set(CURLOPT_NOPROXY, "")
        }
    }

    private func configure(_ request: SSHRequest) {
        configure(
            protocols: "sftp,scp", request.interface, connectTimeout: request.connectTimeout)
        set(CURLOPT_SSH_KNOWNHOSTS, request.knownHosts)
        set(CURLOPT_USERNAME, request.username)
        switch request.login {
        case .password(let password):
            set(CURLOPT_SSH_AUTH_TYPES, cz_curl_ssh_password)
            set(CURLOPT_PASSWORD, password)
        case .key(let path):
            set(CURLOPT_SSH_AUTH_TYPES, cz_curl_ssh_key)
            set(CURLOPT_SSH_PRIVATE_KEYFILE, path)
        case .agent: set(CURLOPT_SSH_AUTH_TYPES, cz_curl_ssh_agent)
        }
    }

    private func configure(_ request: HTTPRequest) {
        configure(
            protocols: "http,https", request.interface, connectTimeout: request.connectTimeout)
        if !request.allowsHTTP2 { set(CURLOPT_HTTP_VERSION, cz_curl_http1) }
        if let path = request.unixSocket {
            set(CURLOPT_UNIX_SOCKET_PATH, path)
            set(CURLOPT_NOPROXY, "*")
        }
        set(CURLOPT_SSL_EC_CURVES, KeyExchangeGroups.available)
        if let tls = request.tls {
            if let file = tls.authorities { set(CURLOPT_CAINFO, file) }
            if let file = tls.certificate { set(CURLOPT_SSLCERT, file) }
            if let file = tls.privateKey { set(CURLOPT_SSLKEY, file) }
        }
        let this = Unmanaged.passUnretained(self).toOpaque()
        switch request.body {
        case nil:
            if request.method == "GET" {
                set(CURLOPT_HTTPGET, 1)
            } else if request.method == "HEAD" {
                set(CURLOPT_NOBODY, 1)
            } else if request.method == "POST" || request.method == "PUT" {
                set(CURLOPT_POST, 1)
                set(CURLOPT_POSTFIELDSIZE, 0)
            }
        case .bytes(let bytes):
            set(CURLOPT_POST, 1)
            _ = cz_curl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count))
            bytes.withUnsafeBytes {
                _ = cz_curl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, $0.baseAddress)
            }
        case .stream:
            set(CURLOPT_UPLOAD, 1)
            set(CURLOPT_UPLOAD_BUFFERSIZE, Self.uploadBuffer)
            _ = cz_curl_set_function(handle, CURLOPT_READFUNCTION, Self.readFunction)
            _ = cz_curl_set_pointer(handle, CURLOPT_READDATA, this)
        }
        set(CURLOPT_CUSTOMREQUEST, request.method)
        _ = cz_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headerList?.list)
        _ = cz_curl_set_function(handle, CURLOPT_HEADERFUNCTION, Self.headerFunction)
        _ = cz_curl_set_pointer(handle, CURLOPT_HEADERDATA, this)
    }

    private static func at(_ pointer: UnsafeMutableRawPointer?) -> Transfer {
        guard let pointer else { preconditionFailure("libcurl lost its user data") }
        return Unmanaged<Transfer>.fromOpaque(pointer).takeUnretainedValue()
    }

    private func set(_ option: CURLoption, _ value: Int) {
        _ = cz_curl_set_long(handle, option, value)
    }

    private func set(_ option: CURLoption, _ value: String) {
        value.withCString { _ = cz_curl_set_pointer(handle, option, $0) }
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
    }

    // MARK: Called by libcurl

    private typealias Callback =
        @convention(c) (
            UnsafeMutablePointer<CChar>?, Int, Int, UnsafeMutableRawPointer?
        ) -> Int

    // Of no actor, so that each call, one for each line of a log, checks the thread once.
    private nonisolated static let receiveFunction: Callback = { bytes, size, count, this in
        let bytes = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return EventLoop.assumeIsolated(with: (this, bytes)) {
            Transfer.at($0.0).receive($0.1)
        }
    }
    private nonisolated static let headerFunction: Callback = { bytes, size, count, this in
        let bytes = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return EventLoop.assumeIsolated(with: (this, bytes)) {
            Transfer.at($0.0).receiveHeader($0.1)
        }
    }
    private nonisolated static let readFunction: Callback = { buffer, size, count, this in
        guard let buffer else { return cz_curl_read_abort }
        let room = UnsafeMutableRawBufferPointer(start: buffer, count: size * count)
        return EventLoop.assumeIsolated(with: (this, room)) {
            Transfer.at($0.0).readBody(into: $0.1)
        }
    }

    private nonisolated static let openSocketFunction:
        @convention(c) (
            UnsafeMutableRawPointer?, curlsocktype, UnsafeMutablePointer<curl_sockaddr>?
        ) -> curl_socket_t = { this, _, address in
            guard let address else { return cz_curl_socket_bad }
            return EventLoop.assumeIsolated(with: (this, address)) {
                Transfer.at($0.0).openSocket(to: $0.1)
            }
        }

    /// A socket for an address that may be connected to: the only way to a server, whatever its
    /// name was and wherever it came from.
    private func openSocket(to address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        let wanted = address.pointee
        guard let socketAddress = cz_curl_address(address),
            let network = NetworkAddress(socketAddress, length: Int(wanted.addrlen))
        else { return cz_curl_socket_bad }
        do throws(HTTPError) {
            try Destination.judge(network, of: destination.name)
            // Also those that no interface has, "ip route add local".
            guard cz_is_delivered_here(socketAddress) == 0 else {
                throw Destination.denial("\(network)", .device, of: destination.name)
            }
        } catch {
            denial = error
            return cz_curl_socket_bad
        }
        return socket(
            wanted.family, wanted.socktype | CInt(SOCK_CLOEXEC.rawValue), wanted.protocol)
    }

    private func readBody(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let body else { return cz_curl_read_abort }
        lastActivity = .now
        switch body.read(into: buffer) {
        case .bytes(let count): return count
        case .end: return 0
        case .failed(let error):
            bodyFailure = error
            return cz_curl_read_abort
        case .notYet:
            isReadPaused = true
            do throws(SystemError) {
                try body.whenReadable { [weak self] in self?.continueReading() }
            } catch {
                bodyFailure = error
                return cz_curl_read_abort
            }
            return cz_curl_read_pause
        }
    }

    private func continueReading() {
        guard isReadPaused else { return }
        isReadPaused = false
        unpause()
    }

    private func receiveHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        lastActivity = .now
        headerSize += bytes.count
        // Anything but the whole count makes libcurl give up.
        guard headerSize <= Self.largestHeader else { return 0 }
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            headers = [:]
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...]
            headers[line[..<colon].lowercased()] = Self.trimmed(value)
        } else if bytes.count <= 2 {
            var code = 0
            cz_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &code)
            // 1xx announces the real one.
            if code >= 200, case .waiting = phase {
                status = code
                phase = .body
                waiter.wake()
            }
        }
        return bytes.count
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard received.count < Self.highWater else {
            isWritePaused = true
            return cz_curl_write_pause
        }
        if received.isEmpty {
            lastActivity = .now
            if case .waiting = phase { phase = .body }
            waiter.wake()
        }
        received.append(contentsOf: bytes)
        return bytes.count
    }

    private func unpause() {
        guard client != nil else { return }
        lastActivity = .now
        // Both directions that are not to rest; the one that is gets paused again by its function.
        curl_easy_pause(handle, cz_curl_pause_continue)
        client?.advance()
    }

    // MARK: The answer

    /// The answer's status and header. One that breaks off after it does so while it is read.
    func head() async throws -> (status: Int, headers: [String: String]) {
        startIdleTimer()
        while status == 0 {
            switch phase {
            case .waiting, .body: try await wait()
            case .ended: throw HTTPError(.broken, "\(peer) answered without a status")
            case .failed(let error): throw error
            }
        }
        return (status, headers)
    }

    /// Waits for the first bytes, where nothing comes before them.
    func begin() async throws {
        startIdleTimer()
        while case .waiting = phase { try await wait() }
        if case .failed(let error) = phase { throw error }
    }

    /// The body's size in bytes, where the server tells it.
    var contentLength: Int64? {
        var size: curl_off_t = -1
        cz_curl_get_size(handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size)
        return size < 0 ? nil : Int64(size)
    }

    func nextBytes() async throws -> [UInt8]? {
        while received.isEmpty {
            switch phase {
            case .waiting, .body: try await wait()
            case .ended: return nil
            case .failed(let error): throw error
            }
        }
        let bytes = received
        received = []
        lastActivity = .now
        if isWritePaused {
            isWritePaused = false
            unpause()
        }
        return bytes
    }

    private func wait() async throws {
        do {
            try await waiter.wait()
        } catch {
            fail(error)
            throw error
        }
    }

    /// The transfer is over, for better or worse.
    func finish(_ result: CURLcode) {
        if result == CURLE_OK {
            end(.ended)
        } else {
            end(.failed(error(for: result)))
        }
    }

    func cancel() {
        fail(CancellationError())
    }

    private func fail(_ error: any Error) {
        client?.detach(self)
        end(.failed(error))
    }

    private func end(_ last: Phase) {
        switch phase {
        case .waiting, .body: phase = last
        case .ended, .failed: return
        }
        body?.stop()
        idleTimer?.cancel()
        idleTimer = nil
        waiter.wake()
    }

    private func startIdleTimer() {
        guard let idleTimeout else { return }
        switch phase {
        case .waiting, .body: break
        case .ended, .failed: return
        }
        let isOursToMove = isReadPaused || !received.isEmpty
        let rest = isOursToMove ? idleTimeout : idleTimeout - (.now - lastActivity)
        guard rest > .zero else {
            return fail(
                HTTPError(.timedOut, "\(peer) has been silent for \(idleTimeout.components.0) s"))
        }
        idleTimer = EventLoop.Timer(after: rest) { [weak self] in self?.startIdleTimer() }
    }

    // MARK: Errors

    private var peer: String { unixSocket ?? WebAddress.shown(url) }

    private func error(for result: CURLcode) -> HTTPError {
        if let denial, result == CURLE_COULDNT_CONNECT { return denial }
        let text = String(cString: curl_easy_strerror(result))
        switch result {
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            var code = 0
            cz_curl_get_long(handle, CURLINFO_OS_ERRNO, &code)
            let reason = code == 0 ? text : SystemError("connect", code: CInt(code)).reason
            return HTTPError(.unreachable, "cannot connect to \(peer): \(reason)")
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CONNECT_ERROR:
            return HTTPError(.untrusted, "no secure connection to \(peer): \(text)")
        case CURLE_REMOTE_FILE_NOT_FOUND:
            return HTTPError(.notFound, "\(peer): there is no such file")
        case CURLE_REMOTE_ACCESS_DENIED:
            return HTTPError(.denied, "\(peer): the server does not let this user read it")
        case CURLE_LOGIN_DENIED:
            return HTTPError(.denied, "\(peer): the server does not accept the credentials")
        case CURLE_OPERATION_TIMEDOUT:
            return HTTPError(.timedOut, "\(peer) does not answer: \(text)")
        case CURLE_ABORTED_BY_CALLBACK:
            let reason = bodyFailure.map { $0.reason } ?? text
            return HTTPError(.bodyFailed, "the data to be sent cannot be read: \(reason)")
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL:
            return HTTPError(.invalid, "\(peer): \(text)")
        default:
            return HTTPError(.broken, "the connection to \(peer) broke: \(text)")
        }
    }
}
