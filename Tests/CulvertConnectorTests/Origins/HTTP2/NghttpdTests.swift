import Foundation
import Glibc
import HTTPSemantics
import NIOCore
import NIOPosix
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertConnector

/// nghttpd as the origin, in the clear or with TLS.
final class Nghttpd: Sendable {
    let folder: String
    let port: Int
    private let process: Process

    /// - Returns: nil where nghttpd is not installed.
    static func start(authority: TestAuthority?) async throws -> Nghttpd? {
        let path = "/usr/sbin/nghttpd"
        guard FileManager.default.isExecutableFile(atPath: path) else { return nil }
        // A port that was free a moment ago: nghttpd does not say which one it has of its own choice.
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = listener.localAddress?.port ?? 0
        try await listener.close().get()
        return try Nghttpd(path, port, authority)
    }

    private init(_ path: String, _ port: Int, _ authority: TestAuthority?) throws {
        self.port = port
        self.folder = FileManager.default.temporaryDirectory.path + "/culvert-nghttpd-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: self.folder,
            withIntermediateDirectories: true
        )
        try Data(repeating: 0x79, count: 5 << 20)
            .write(to: URL(fileURLWithPath: self.folder + "/big"))
        try Data("small".utf8).write(to: URL(fileURLWithPath: self.folder + "/small"))
        self.process = Process()
        self.process.executableURL = URL(fileURLWithPath: path)
        let files = authority.map { [$0.keyPath, $0.certificatePath] } ?? []
        self.process.arguments =
            ["-a", "127.0.0.1", "-d", self.folder, "--echo-upload", "--trailer", "x-sum: 9"]
            + (authority == nil ? ["--no-tls"] : []) + ["\(port)"] + files
        self.process.standardOutput = FileHandle.nullDevice
        self.process.standardError = FileHandle.nullDevice
        try self.process.run()
    }

    var isRunning: Bool { self.process.isRunning }

    func stop() {
        kill(self.process.processIdentifier, SIGKILL)
        self.process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: self.folder)
    }
}

@Suite("nghttpd as the origin", .timeLimit(.minutes(1)))
struct NghttpdTests {
    @Test(arguments: [false, true])
    func wholeConversation(isTLS: Bool) async throws {
        let authority = try TestAuthority.shared()
        let server = try #require(
            try await Nghttpd.start(authority: isTLS ? authority : nil),
            "deploy/test installs nghttpd"
        )
        defer { server.stop() }
        let bench = try await Bench()
        var options = OriginOptions()
        options.http2Origin = true
        options.caPool = authority.certificatePath
        let service: OriginService =
            isTLS
            ? .https(host: "localhost", port: server.port)
            : .http(host: "127.0.0.1", port: server.port)
        let target = OriginTarget(service: service, options: options)
        var attempt = 0
        // It listens a moment after it was started.
        while server.isRunning {
            attempt += 1
            if try await bench.exchange("/small?\(attempt)", to: target).reset == nil { break }
        }
        let small = try await bench.exchange("/small", to: target)
        #expect(small.text == "small" && small.head?.status == 200)
        #expect(small.head?.fields.first("content-length") == "5")
        #expect(small.trailers == ["x-sum": "9"])
        let head = try await bench.exchange("/big", to: target, method: "HEAD")
        #expect(head.head?.fields.first("content-length") == "\(5 << 20)" && head.body.isEmpty)
        #expect(try await bench.exchange("/none", to: target).head?.status == 404)
        let big = try await bench.exchange("/big?get", to: target)
        #expect(big.body.count == 5 << 20)
        let pieces = Array(repeating: StreamPart.zeros(10_000), count: 100)
        let echo = try await bench.exchange(
            "/echo",
            to: target,
            method: "POST",
            then: pieces + [.end]
        )
        #expect(echo.body.count == 1_000_000 && echo.consumed == 1_000_000)
        #expect(try await bench.use { $0.liveConnections } == 1, "all of it over one")
        for number in 0..<150 { try await bench.open("/small?c\(number)", to: target) }
        for number in 0..<150 {
            #expect(try await bench.wait("/small?c\(number)") { $0.isRecorded }.text == "small")
        }
        #expect(try await bench.use { $0.liveConnections } <= 2, "100 streams each")
    }

    /// nginx sends its connections away with GOAWAY after ten requests.
    @Test func nginxThatSendsConnectionsAway() async throws {
        let authority = try TestAuthority.shared()
        let nginx = try #require(
            try Nginx.start(authority: authority),
            "deploy/test installs nginx"
        )
        defer { nginx.stop() }
        let bench = try await Bench()
        var options = OriginOptions()
        options.http2Origin = true
        options.caPool = authority.certificatePath
        options.originServerName = "localhost"
        let target = OriginTarget(
            service: .unixTLS(path: nginx.secureSocketPath),
            options: options
        )
        var attempt = 0
        while nginx.process.isRunning {
            attempt += 1
            if try await bench.exchange("/small?\(attempt)", to: target).reset == nil { break }
        }
        for batch in 0..<8 {
            let paths = (0..<8).map { "/small?\(batch).\($0)" }
            for path in paths { try await bench.open(path, to: target) }
            for path in paths {
                let seen = try await bench.wait(path) { $0.isRecorded }
                #expect(seen.text == "small" && seen.reset == nil, "\(path) \(seen)")
            }
        }
        // Not a word of HTTP/1.1's.
        let answer = try await bench.exchange("/echo", to: target)
        #expect(answer.text == "GET app.example.com " && answer.head?.reason == "")
    }

    /// nginx before 1.25.1 cannot tell HTTP/2 from HTTP/1.1 in the clear: this one speaks HTTP/1.1.
    @Test func nginxWithoutHTTP2() async throws {
        let nginx = try #require(try Nginx.start(), "deploy/test installs nginx")
        defer { nginx.stop() }
        let bench = try await Bench()
        var options = OriginOptions()
        options.http2Origin = true
        let target = OriginTarget(service: .unix(path: nginx.socketPath), options: options)
        var attempt = 0
        while nginx.process.isRunning {
            attempt += 1
            if try await bench.exchange("/small?\(attempt)", to: target).reset == nil { break }
        }
        #expect(try await bench.exchange("/small", to: target).text == "small")
        #expect(try await bench.use { $0.liveConnections } == 1)
    }
}
