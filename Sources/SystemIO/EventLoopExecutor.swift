import CSystem
import Glibc
import Synchronization

/// The thread that does this process's network I/O, and runs the tasks that prefer it.
///
/// One thread, one epoll set: sockets, timers, signals and the tasks woken by them take turns,
/// so a request crosses no threads on its way. Code that blocks or computes for long must not
/// run here; see ``withOwnThread(named:_:)``.
///
/// `@unchecked Sendable`: `shared` is guarded by its mutex; the `let` descriptors are only
/// used by calls the kernel synchronises; `confined` is touched only on the loop's own thread,
/// which every method that reaches it checks or is called from.
public final class EventLoopExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
    /// The only instance, behind ``EventLoop``.
    public static let shared = EventLoopExecutor()

    private struct Shared {
        var thread: pthread_t?
        var jobs: [UnownedJob] = []
        /// Whether the loop's thread may be asleep in epoll_wait.
        var sleeping = false
    }

    private struct Confined {
        var jobs: [UnownedJob] = []
        /// Room for those of the next round.
        var spare: [UnownedJob] = []
        var watches: [UInt64: Watch] = [:]
        var nextToken: UInt64 = 1
        var timers = TimerQueue()
        var endOfTurn: [@EventLoop () -> Void] = []
        var stopping = false
    }

    private let epoll: CInt
    private let wakeup: CInt
    private let shared = Mutex(Shared())
    private var confined = Confined()

    /// The token that marks the wake-up eventfd; watches count from 1.
    private static let wakeupToken: UInt64 = 0
    /// Events taken from the kernel at a time; more are fetched in the next round.
    private static let batch = 64

    /// Rounds of jobs after which a turn ends although there are more, so that neither output
    /// nor the sockets wait for a task that never rests.
    private static let longestTurn = 64

    /// Jobs for which room is kept; a crowd of them is no reason to hold on to it.
    private static let mostSpare = 256

    private init() {
        epoll = epoll_create1(CInt(EPOLL_CLOEXEC))
        wakeup = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
        var event = cz_epoll_event(EPOLLIN.rawValue, Self.wakeupToken)
        // Without these two descriptors nothing in the process can work.
        guard epoll >= 0, wakeup >= 0, epoll_ctl(epoll, EPOLL_CTL_ADD, wakeup, &event) == 0
        else { preconditionFailure("cannot make an event loop: \(SystemError("epoll_create1"))") }
    }

    // MARK: Executor

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrentThread {
            confined.jobs.append(job)
            return
        }
        let wake = shared.withLock { shared in
            shared.jobs.append(job)
            if shared.thread == nil { startThread(&shared) }
            defer { shared.sleeping = false }
            return shared.sleeping
        }
        if wake { signal() }
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    public func checkIsolated() {
        precondition(isCurrentThread, "not on the event loop's thread")
    }

    /// Whether the caller runs on the loop's thread.
    public var isCurrentThread: Bool {
        eventLoopThreadFlag.value
    }

    // MARK: Running

    /// Turns the calling thread, which must be the first to use the loop, into the loop until
    /// `body` has ended.
    public static func run<Result: Sendable>(
        _ body: @escaping @Sendable @EventLoop () async -> Result
    ) -> Result {
        let executor = shared
        executor.shared.withLock { shared in
            precondition(shared.thread == nil, "the event loop runs already")
            shared.thread = pthread_self()
        }
        eventLoopThreadFlag.set()
        let outcome = Outcome<Result>()
        Task(executorPreference: executor) { await executor.runMain(body, into: outcome) }
        executor.loop()
        guard let result = outcome.value else {
            preconditionFailure("the event loop ended before its main task")
        }
        return result
    }

    @EventLoop
    private func runMain<Result: Sendable>(
        _ body: @Sendable @EventLoop () async -> Result, into outcome: Outcome<Result>
    ) async {
        outcome.value = await body()
        confined.stopping = true
    }

    /// Carries the main task's result to the thread that waits for it.
    /// `@unchecked Sendable`: written and read on the loop's thread only.
    private final class Outcome<Value>: @unchecked Sendable {
        var value: Value?
    }

    private func startThread(_ shared: inout Shared) {
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { _ in
                eventLoopThreadFlag.set()
                cz_name_thread("event-loop")
                EventLoopExecutor.shared.loop()
                return nil
            }, nil)
        precondition(status == 0, "cannot start the event loop's thread")
        shared.thread = thread
    }

    private func loop() {
        let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Self.batch)
        defer { events.deallocate() }
        while true {
            runTurn()
            if confined.stopping { return }
            let timeout = shared.withLock { shared -> CInt in
                guard shared.jobs.isEmpty, confined.jobs.isEmpty, confined.endOfTurn.isEmpty
                else { return 0 }
                shared.sleeping = true
                return confined.timers.millisecondsToNext()
            }
            let count = epoll_wait(epoll, events, CInt(Self.batch), timeout)
            shared.withLock { $0.sleeping = false }
            for index in 0..<Int(max(count, 0)) {
                deliver(events[index])
            }
            let now = ContinuousClock.now
            while let timer = confined.timers.popExpired(at: now) {
                EventLoop.assumeIsolated { timer.fire() }
            }
        }
    }

    private func deliver(_ event: epoll_event) {
        var event = event
        let token = cz_epoll_token(&event)
        if token == Self.wakeupToken {
            var counter: UInt64 = 0
            _ = Glibc.read(wakeup, &counter, MemoryLayout.size(ofValue: counter))
            return
        }
        // Gone when another handler of this round cancelled it.
        guard let watch = confined.watches[token] else { return }
        EventLoop.assumeIsolated { watch.deliver(Readiness(epoll: event.events)) }
    }

    /// Runs what is queued now; jobs that these enqueue wait for the next round.
    private func runJobs() {
        var batch = confined.spare
        confined.spare = []
        swap(&batch, &confined.jobs)
        shared.withLock { shared in
            if !shared.jobs.isEmpty {
                batch.append(contentsOf: shared.jobs)
                shared.jobs.removeAll(keepingCapacity: true)
            }
        }
        for job in batch {
            job.runSynchronously(
                isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        }
        batch.removeAll(keepingCapacity: batch.capacity <= Self.mostSpare)
        confined.spare = batch
    }

    /// Runs the tasks that are ready, and those they make ready, then what waits for that.
    private func runTurn() {
        var rounds = 0
        repeat {
            runJobs()
            rounds += 1
            if confined.stopping { return }
        } while !confined.jobs.isEmpty && rounds < Self.longestTurn
        runEndOfTurn()
    }

    private func runEndOfTurn() {
        guard !confined.endOfTurn.isEmpty else { return }
        let bodies = confined.endOfTurn
        confined.endOfTurn.removeAll(keepingCapacity: true)
        EventLoop.assumeIsolated { for body in bodies { body() } }
    }

    private func signal() {
        var one: UInt64 = 1
        _ = Glibc.write(wakeup, &one, MemoryLayout.size(ofValue: one))
    }

    // MARK: Watches and timers, on the loop's thread

    @EventLoop
    func add(_ watch: Watch, interest: Readiness) throws(SystemError) -> UInt64 {
        let token = confined.nextToken
        confined.nextToken += 1
        var event = cz_epoll_event(interest.epoll, token)
        try check("epoll_ctl") { epoll_ctl(epoll, EPOLL_CTL_ADD, watch.descriptor, &event) }
        confined.watches[token] = watch
        return token
    }

    @EventLoop
    func modify(_ watch: Watch, token: UInt64, interest: Readiness) {
        var event = cz_epoll_event(interest.epoll, token)
        let status = epoll_ctl(epoll, EPOLL_CTL_MOD, watch.descriptor, &event)
        precondition(status == 0, "a watched descriptor was closed before its watch")
    }

    @EventLoop
    func remove(_ watch: Watch, token: UInt64) {
        confined.watches[token] = nil
        _ = epoll_ctl(epoll, EPOLL_CTL_DEL, watch.descriptor, nil)
    }

    @EventLoop
    func addEndOfTurn(_ body: @escaping @EventLoop () -> Void) {
        confined.endOfTurn.append(body)
    }

    @EventLoop
    func add(_ timer: EventLoop.Timer) {
        confined.timers.insert(timer)
    }

    @EventLoop
    func remove(_ timer: EventLoop.Timer) {
        confined.timers.remove(timer)
    }
}

/// Marks the loop's thread; a key of its own, since Swift has no thread-local variables.
private let eventLoopThreadFlag = ThreadFlag()

private struct ThreadFlag: Sendable {
    private let key: pthread_key_t

    init() {
        var key = pthread_key_t()
        let status = pthread_key_create(&key, nil)
        precondition(status == 0, "out of thread-specific keys")
        self.key = key
    }

    var value: Bool { pthread_getspecific(key) != nil }

    func set() { pthread_setspecific(key, UnsafeRawPointer(bitPattern: 1)) }
}
