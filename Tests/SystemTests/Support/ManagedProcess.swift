import Foundation
import Glibc
import Synchronization

/// A process that a test started; it ends with the test at the latest.
///
/// Its output goes to files, so that it never waits for a reader.
final class ManagedProcess: Sendable {
    let pid: pid_t
    private let name: String
    private let directory: String
    private let number: Int
    private let status = Mutex<CInt?>(nil)

    private static let count = Mutex(0)

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - program: Its path, or a name to look for in PATH.
    ///   - arguments: Without the program's own name.
    ///   - input: A file for its standard input; default nothing.
    ///   - directory: Where its output files go.
    /// - Throws: `TestFailure` when it cannot be started.
    init(
        _ program: String,
        _ arguments: [String],
        input: String = "/dev/null",
        in directory: TemporaryDirectory
    ) throws {
        self.name = ([program.split(separator: "/").last.map(String.init) ?? program] + arguments)
            .joined(separator: " ")
        self.directory = directory.path
        self.number = Self.count.withLock { count in
            count += 1
            return count
        }
        self.pid = try Self.spawn(
            program,
            arguments,
            input: input,
            output: "\(directory.path)/out.\(self.number)",
            error: "\(directory.path)/err.\(self.number)"
        )
        ProcessScope.current?.atEnd { self.end() }
    }

    /// What it has written to standard output so far.
    var output: String { String(decoding: self.outputData, as: UTF8.self) }

    var outputData: Data {
        FileManager.default.contents(atPath: "\(self.directory)/out.\(self.number)") ?? Data()
    }

    /// What it has written to standard error so far.
    var errors: String {
        let path = "\(self.directory)/err.\(self.number)"
        return String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }

    /// The last lines of all it has said, for a failure's text.
    var said: String {
        let lines = (self.output + self.errors).split(separator: "\n").suffix(30)
        return "--- \(self.name)\n" + lines.joined(separator: "\n")
    }

    /// Waits for a line of standard output or error that matches, and gives its first group.
    ///
    /// - Parameters:
    ///   - pattern: A regular expression.
    ///   - skipping: How many matching lines to pass over.
    ///   - seconds: How long to wait.
    /// - Returns: the group's text, or the whole match's when there is none.
    /// - Throws: `TestFailure` when none came in time, or before the process ended.
    @discardableResult
    func line(
        _ pattern: String,
        skipping: Int = 0,
        within seconds: Double = 20
    ) throws -> String {
        let expression = try NSRegularExpression(
            pattern: pattern,
            options: .anchorsMatchLines
        )
        return try waitFor(
            "a line \(pattern)",
            seconds: seconds,
            explain: { self.said }
        ) {
            let text = self.output + self.errors
            let matches = expression.matches(
                in: text,
                range: NSRange(text.startIndex..., in: text)
            )
            guard matches.count > skipping else {
                if let status = self.exitStatus() {
                    throw TestFailure("ended with \(status) before \(pattern)\n\(self.said)")
                }
                return nil
            }
            let match = matches[skipping]
            let range = match.range(at: match.numberOfRanges > 1 ? 1 : 0)
            return Range(range, in: text).map { String(text[$0]) } ?? ""
        }
    }

    /// The number of lines of standard output or error that match.
    func lines(_ pattern: String) -> Int {
        let text = self.output + self.errors
        return text.split(separator: "\n").filter {
            $0.range(of: pattern, options: .regularExpression) != nil
        }.count
    }

    func signal(_ signal: CInt) {
        self.status.withLock { status in
            // A pid that was waited for may be another process's by now.
            guard status == nil else { return }
            kill(self.pid, signal)
        }
    }

    /// The exit code, or minus the signal that ended it; nil while it runs.
    func exitStatus() -> CInt? {
        self.status.withLock { status in
            if let status { return status }
            var raw: CInt = 0
            guard waitpid(self.pid, &raw, WNOHANG) == self.pid else { return nil }
            status = raw & 0x7F == 0 ? (raw >> 8) & 0xFF : -(raw & 0x7F)
            return status
        }
    }

    /// Waits for its end and gives its exit code, or minus the signal that ended it.
    func exit(within seconds: Double = 30) throws -> CInt {
        try waitFor("the end of \(self.name)", seconds: seconds, explain: { self.said }) {
            self.exitStatus()
        }
    }

    /// SIGTERM, then, after three seconds, SIGKILL.
    func end() {
        self.signal(SIGCONT)
        self.signal(SIGTERM)
        for _ in 0..<600 where self.exitStatus() == nil { usleep(5_000) }
        self.killNow()
    }

    /// SIGKILL, and waits for the end.
    func killNow() {
        self.signal(SIGKILL)
        while self.exitStatus() == nil { usleep(1_000) }
    }

    /// Memory in use, in bytes (VmRSS).
    var residentBytes: Int {
        let status =
            (try? String(contentsOfFile: "/proc/\(self.pid)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        let kilobytes = line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return kilobytes * 1024
    }

    private static func spawn(
        _ program: String,
        _ arguments: [String],
        input: String,
        output: String,
        error: String
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        let create = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 1, output, create, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, error, create, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Dispatch's threads block signals, and children inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var strings = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for string in strings { free(string) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, program, &actions, &attributes, &strings, environ)
        guard result == 0 else {
            throw TestFailure("\(program): \(String(cString: strerror(result)))")
        }
        return pid
    }
}

/// Runs a program to its end.
struct Finished {
    let status: CInt
    let output: String
    let errors: String

    init(
        _ program: String,
        _ arguments: [String],
        input: String = "/dev/null",
        in directory: TemporaryDirectory,
        within seconds: Double = 60
    ) throws {
        let process = try ManagedProcess(program, arguments, input: input, in: directory)
        self.status = try process.exit(within: seconds)
        self.output = process.output
        self.errors = process.errors
    }
}
