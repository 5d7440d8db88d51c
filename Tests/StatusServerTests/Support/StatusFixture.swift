import Foundation
import Logging
import NIOCore
import NIOPosix
import StatusServer

/// A status server on loopback for the length of one test.
struct StatusFixture: Sendable {
    let server: StatusServer
    let host: String
    let port: Int

    static func with<Result: Sendable>(
        routes: [String: @Sendable () -> StatusAnswer] = ["/hello": { .text("hello") }],
        limits: StatusLimits = StatusLimits(),
        host: String = "127.0.0.1",
        _ body: @Sendable (StatusFixture) async throws -> Result
    ) async throws -> Result {
        let logger = Logger(label: "status") { _ in SwiftLogNoOpLogHandler() }
        let server = StatusServer(routes: routes, limits: limits, logger: logger)
        let address = try await server.start(
            on: (host, 0),
            group: MultiThreadedEventLoopGroup.singleton
        )
        do {
            let fixture = StatusFixture(
                server: server,
                host: host.contains(":") ? "[\(host)]" : host,
                port: address.port ?? 0
            )
            let result = try await body(fixture)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }

    func url(_ path: String) -> String { "http://\(self.host):\(self.port)\(path)" }

    /// What `curl -sS` prints.
    func curl(_ arguments: [String], _ path: String) async throws -> String {
        try await offPool {
            try CommandLineTool.run(
                "curl",
                ["-sS", "--max-time", "30", "--noproxy", "*"] + arguments + [self.url(path)]
            )
            .output
        }
    }

    /// Sends `bytes`, then nothing; what the server answers until it closes the connection.
    func exchange(_ bytes: String, halfClose: Bool = false) async throws -> String {
        try await offPool {
            let client = try RawClient(port: self.port)
            client.send(Array(bytes.utf8))
            if halfClose { client.finish() }
            return client.readToEnd()
        }
    }
}

/// Runs what blocks on a thread that neither the tests nor the server need.
func offPool<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            continuation.resume(with: Swift.Result { try body() })
        }
    }
}

/// Runs a program of the system to its end and keeps what it printed.
struct CommandLineTool {
    var status: Int32
    /// Standard output and error in one.
    var output: String

    static func run(_ program: String, _ arguments: [String], input: String = "") throws -> Self {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        let output = Pipe()
        let standardInput = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = standardInput
        try process.run()
        standardInput.fileHandleForWriting.write(Data(input.utf8))
        try standardInput.fileHandleForWriting.close()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Self(
            status: process.terminationStatus,
            output: String(decoding: data, as: UTF8.self)
        )
    }
}
