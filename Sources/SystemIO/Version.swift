/// The version of all programs, which are released together.
public let containerzVersion = "0.1.0"
