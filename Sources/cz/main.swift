import ArgumentParser
import SystemIO

// Only for SIGPIPE: a closed output is an error to handle.
Signals.block([])
ClientCommand.main()
