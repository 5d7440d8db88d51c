import Foundation

/// Something a test needed did not happen.
struct TestFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A program of `Programs`, for as long as somebody has this; it ends when the test process does.
final class PythonServer {
    /// Where it listens on 127.0.0.1, as its first line says.
    let port: Int
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    init(_ program: String, _ arguments: [String]) throws {
        let programs = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Programs")
        self.process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        self.process.arguments =
            ["python3", programs.appendingPathComponent(program).path] + arguments
        self.process.standardInput = self.input
        self.process.standardOutput = self.output
        try self.process.run()
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            guard let byte = try self.output.fileHandleForReading.read(upToCount: 1) else {
                throw TestFailure("\(program) ended before it listened")
            }
            line += byte
        }
        let text = String(decoding: line, as: UTF8.self)
        guard let port = Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw TestFailure("\(program) said \(text)")
        }
        self.port = port
    }

    /// Ends it, and gives the lines that it printed after the first.
    func finish() throws -> [String] {
        try self.input.fileHandleForWriting.close()
        let rest = try self.output.fileHandleForReading.readToEnd() ?? Data()
        return String(decoding: rest, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    deinit {
        try? self.input.fileHandleForWriting.close()
        self.process.waitUntilExit()
    }
}

/// A new directory that is removed with its last reference.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("culvert-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        self.path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    func file(_ name: String) -> String { "\(self.path)/\(name)" }

    /// Writes a file and gives its path.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: self.file(name)))
        return self.file(name)
    }

    func mode(_ name: String = "") throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: self.file(name))
        return attributes[.posixPermissions] as? Int ?? -1
    }
}
