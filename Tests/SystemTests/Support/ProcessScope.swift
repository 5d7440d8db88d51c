import Foundation
import Synchronization

/// Everything a test started, so that nothing is left of it.
final class ProcessScope: Sendable {
    @TaskLocal static var current: ProcessScope?

    private let ends = Mutex<[@Sendable () -> Void]>([])

    /// Has `body` run when the test ends, before what was added earlier.
    func atEnd(_ body: @escaping @Sendable () -> Void) {
        self.ends.withLock { $0.append(body) }
    }

    /// Ends everything, the latest first.
    func end() {
        let ends = self.ends.withLock { ends in
            defer { ends = [] }
            return ends
        }
        for end in ends.reversed() { end() }
    }
}

/// Something a test needed did not happen.
struct TestFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Waits until `condition` gives a value; looks every 5 ms.
///
/// - Throws: `TestFailure` with what `explain` says, after `seconds`.
@discardableResult
func waitFor<Value>(
    _ what: String,
    seconds: Double = 20,
    explain: () -> String = { "" },
    _ condition: () throws -> Value?
) throws -> Value {
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
        if let value = try condition() { return value }
        guard ContinuousClock.now < end else {
            throw TestFailure("not within \(seconds) s: \(what)\n\(explain())")
        }
        usleep(5_000)
    }
}

/// The seconds since `start`.
func seconds(since start: ContinuousClock.Instant) -> Double {
    (ContinuousClock.now - start) / .seconds(1)
}

/// Whether the long forms of the tests were asked for, with `CULVERT_LONG=1`.
let isLongRun = ProcessInfo.processInfo.environment["CULVERT_LONG"] == "1"

/// A new directory that is removed with the test.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let path = NSTemporaryDirectory() + "culvert-system-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true
        )
        self.path = path
        guard ProcessInfo.processInfo.environment["CULVERT_KEEP"] == nil else { return }
        ProcessScope.current?.atEnd { try? FileManager.default.removeItem(atPath: path) }
    }

    func file(_ name: String) -> String { "\(self.path)/\(name)" }

    /// Writes a file and gives its path.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try self.write(Data(text.utf8), to: name)
    }

    @discardableResult
    func write(_ data: Data, to name: String) throws -> String {
        try data.write(to: URL(fileURLWithPath: self.file(name)))
        return self.file(name)
    }

    func text(_ name: String) -> String {
        let data = FileManager.default.contents(atPath: self.file(name)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }
}
