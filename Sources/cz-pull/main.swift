import ArgumentParser
import Glibc
import SystemIO

// What is being written is cleaned up on the way out.
Signals.block([SIGINT, SIGTERM])
PullCommand.main()
