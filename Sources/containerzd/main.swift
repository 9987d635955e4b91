import ArgumentParser
import Daemon
import SystemIO

Signals.block(Lifecycle.signals)
Heap.keepFreedMessages()
ContainerzDaemon.main()
