import ArgumentParser
import Daemon
import SystemIO

Signals.block(Lifecycle.signals)
ContainerzDaemon.main()
