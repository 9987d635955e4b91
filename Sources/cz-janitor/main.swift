import ArgumentParser
import Daemon
import SystemIO

Signals.block(Lifecycle.signals)
JanitorCommand.main()
