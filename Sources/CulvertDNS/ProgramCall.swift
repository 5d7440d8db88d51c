/// A program to run, without a shell.
package struct ProgramCall: Sendable, Equatable {
    /// A path, or a name to look for in PATH.
    package let program: String
    /// Without the program's own name.
    package let arguments: [String]
    /// What it reads; then its input ends.
    package let input: String
    /// How long it may run; then it is ended, and all that it started.
    package let timeout: Duration

    package init(
        _ program: String,
        _ arguments: [String],
        input: String = "",
        timeout: Duration
    ) {
        self.program = program
        self.arguments = arguments
        self.input = input
        self.timeout = timeout
    }
}

/// How a program ended.
package struct ProgramEnd: Sendable, Equatable {
    /// The ways to end.
    package enum Cause: Sendable, Equatable {
        case exited(Int32)
        case signalled(Int32)
        case timedOut
        /// It could not be started, for the reason that `errno` has.
        case notStarted(Int32)
    }

    package var cause: Cause
    /// What it wrote to standard output, and what to standard error; the first 64 KiB of each, if the
    /// caller had no other limit.
    package var output: String
    package var errors: String

    package init(_ cause: Cause, output: String = "", errors: String = "") {
        self.cause = cause
        self.output = output
        self.errors = errors
    }
}
