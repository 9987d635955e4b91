import CCurl
import SystemIO

/// Makes requests on the event loop through libcurl and keeps connections for the next ones.
@EventLoop
public final class HTTPClient {
    private let multi: UnsafeMutableRawPointer
    private var watches: [CInt: Watch] = [:]
    private var timer: EventLoop.Timer?
    private var transfers: [UnsafeMutableRawPointer: Transfer] = [:]

    /// More idle connections than this are closed.
    private static let mostIdleConnections = 8

    private static let initialised: CURLcode = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    public init() throws(HTTPError) {
        guard Self.initialised == CURLE_OK, let multi = curl_multi_init() else {
            throw HTTPError(.invalid, "libcurl cannot be initialised")
        }
        self.multi = multi
        let this = Unmanaged.passUnretained(self).toOpaque()
        _ = cz_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Self.mostIdleConnections)
        _ = cz_curl_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, this)
        _ = cz_curl_multi_set_pointer(multi, CURLMOPT_TIMERDATA, this)
        // libcurl calls these only from within calls that this class makes on the loop.
        _ = cz_curl_multi_set_socket_function(multi) { _, socket, what, this, _ in
            EventLoop.assumeIsolated {
                HTTPClient.at(this)?.watch(socket, what)
                return 0
            }
        }
        _ = cz_curl_multi_set_timer_function(multi) { _, milliseconds, this in
            EventLoop.assumeIsolated {
                HTTPClient.at(this)?.setTimer(milliseconds)
                return 0
            }
        }
    }

    isolated deinit {
        for transfer in transfers.values {
            curl_multi_remove_handle(multi, transfer.handle)
            transfer.finish(CURLE_ABORTED_BY_CALLBACK)
        }
        for watch in watches.values { watch.cancel() }
        timer?.cancel()
        _ = cz_curl_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, nil)
        _ = cz_curl_multi_set_pointer(multi, CURLMOPT_TIMERDATA, nil)
        curl_multi_cleanup(multi)
    }

    /// Sends a request and waits for the answer's status and header.
    ///
    /// - Throws: ``HTTPError`` or `CancellationError`. A status of 400 and more is no error here.
    public func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        let transfer = try Transfer(request, of: self)
        try start(transfer)
        let (status, headers) = try await transfer.head()
        return HTTPResponse(transfer, of: self, status: status, headers: headers)
    }

    /// Begins to read a file and waits for its first bytes.
    ///
    /// - Returns: what has a body, and neither status nor header.
    /// - Throws: ``HTTPError`` or `CancellationError`.
    public func open(_ request: SSHRequest) async throws -> HTTPResponse {
        let transfer = try Transfer(request, of: self)
        try start(transfer)
        try await transfer.begin()
        return HTTPResponse(transfer, of: self, status: 0, headers: [:])
    }

    private func start(_ transfer: Transfer) throws(HTTPError) {
        transfers[transfer.handle] = transfer
        let added = curl_multi_add_handle(multi, transfer.handle)
        guard added == CURLM_OK else {
            transfers[transfer.handle] = nil
            throw HTTPError(.invalid, String(cString: curl_multi_strerror(added)))
        }
        advance()
    }

    // MARK: Driving libcurl

    private static func at(_ pointer: UnsafeMutableRawPointer?) -> HTTPClient? {
        pointer.map { Unmanaged<HTTPClient>.fromOpaque($0).takeUnretainedValue() }
    }

    private func watch(_ socket: CInt, _ what: CInt) {
        // One that rests is not watched at all: a peer that hangs up meanwhile would be reported
        // over and over.
        if what == CURL_POLL_REMOVE || what == CURL_POLL_NONE {
            watches.removeValue(forKey: socket)?.cancel()
            return
        }
        var interest: Readiness = []
        if what & CURL_POLL_IN != 0 { interest.insert(.readable) }
        if what & CURL_POLL_OUT != 0 { interest.insert(.writable) }
        if let watch = watches[socket] {
            watch.wait(for: interest)
        } else {
            // One that cannot be watched is found out by the transfer's timeouts.
            watches[socket] = try? Watch(socket, for: interest) { [weak self] readiness in
                var events: CInt = 0
                if readiness.contains(.readable) { events |= CURL_CSELECT_IN }
                if readiness.contains(.writable) { events |= CURL_CSELECT_OUT }
                self?.act(on: socket, events)
            }
        }
    }

    private func setTimer(_ milliseconds: Int) {
        timer?.cancel()
        timer = nil
        guard milliseconds >= 0 else { return }
        timer = EventLoop.Timer(after: .milliseconds(milliseconds)) { [weak self] in
            self?.advance()
        }
    }

    /// Does what is due by time.
    func advance() {
        act(on: CURL_SOCKET_TIMEOUT, 0)
    }

    private func act(on socket: CInt, _ events: CInt) {
        var running: CInt = 0
        _ = curl_multi_socket_action(multi, socket, events, &running)
        var result = CURLE_OK
        while let handle = cz_curl_multi_next_done(multi, &result) {
            guard let transfer = transfers[handle] else { continue }
            detach(transfer)
            transfer.finish(result)
        }
    }

    /// Takes a transfer out, which ends it unless it is complete.
    func detach(_ transfer: Transfer) {
        guard transfers.removeValue(forKey: transfer.handle) != nil else { return }
        curl_multi_remove_handle(multi, transfer.handle)
    }
}
