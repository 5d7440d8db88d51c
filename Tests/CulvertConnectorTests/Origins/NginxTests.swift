import Foundation
import Glibc
import HTTPSemantics
import NIOCore
import Testing
import TunnelLink
import TunnelWire

@testable import CulvertConnector

/// nginx as the origin, on a Unix socket, with a folder of its own.
final class Nginx: Sendable {
    let folder: String
    let process: Process
    var socketPath: String { self.folder + "/s" }
    /// With TLS, HTTP/2 if that is agreed upon, and no more than ten requests on a connection.
    var secureSocketPath: String { self.folder + "/t" }

    /// - Returns: nil where nginx is not installed.
    static func start(authority: TestAuthority? = nil) throws -> Nginx? {
        let paths = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
        let manager = FileManager.default
        guard let path = paths.first(where: manager.isExecutableFile(atPath:)) else { return nil }
        return try Nginx(executable: path, authority)
    }

    private init(executable: String, _ authority: TestAuthority?) throws {
        let folder = FileManager.default.temporaryDirectory.path + "/culvert-nginx-\(UUID())"
        self.folder = folder
        try FileManager.default.createDirectory(
            atPath: folder + "/www",
            withIntermediateDirectories: true
        )
        try Data(repeating: 0x79, count: 5 << 20)
            .write(to: URL(fileURLWithPath: folder + "/www/big"))
        try Data("small".utf8).write(to: URL(fileURLWithPath: folder + "/www/small"))
        let secure = authority.map { authority in
            """
            listen unix:\(folder)/t ssl http2; keepalive_requests 10;
            ssl_certificate \(authority.certificatePath); ssl_certificate_key \(authority.keyPath);
            """
        }
        let configuration = """
            daemon off; master_process off; pid \(folder)/pid; error_log stderr crit;
            events {}
            http {
              access_log off; client_body_temp_path \(folder)/b; proxy_temp_path \(folder)/p;
              fastcgi_temp_path \(folder)/f; uwsgi_temp_path \(folder)/u;
              scgi_temp_path \(folder)/c;
              server {
                listen unix:\(folder)/s; \(secure ?? "") root \(folder)/www; client_max_body_size 1m;
                location /echo { return 200 "$request_method $http_host $content_length"; }
              }
            }
            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: folder + "/conf"))
        self.process = Process()
        self.process.executableURL = URL(fileURLWithPath: executable)
        self.process.arguments = ["-c", folder + "/conf", "-p", folder]
        try self.process.run()
    }

    func stop() {
        // A thread that blocks SIGTERM hands that on to what it starts.
        kill(self.process.processIdentifier, SIGKILL)
        self.process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: self.folder)
    }
}

@Suite("nginx as the origin", .timeLimit(.minutes(1)))
struct NginxTests {
    @Test func wholeConversation() async throws {
        let nginx = try #require(try Nginx.start(), "deploy/test installs nginx")
        defer { nginx.stop() }
        let bench = try await Bench()
        let target = OriginTarget(service: .unix(path: nginx.socketPath))
        var attempt = 0
        // It listens a moment after it was started.
        while nginx.process.isRunning {
            attempt += 1
            let seen = try await bench.exchange("/small?\(attempt)", to: target)
            if seen.reset == nil { break }
        }
        let small = try await bench.exchange("/small", to: target)
        #expect(small.text == "small")
        #expect(small.head?.fields.first("content-length") == "5")
        #expect(small.head?.fields.first("connection") == nil)
        let head = try await bench.exchange("/big", to: target, method: "HEAD")
        #expect(head.head?.fields.first("content-length") == "\(5 << 20)")
        #expect(head.body.isEmpty)
        let tag = try #require(small.head?.fields.first("etag"))
        let fresh = try await bench.exchange(
            "/small?match",
            to: target,
            fields: ["If-None-Match": tag]
        )
        #expect(fresh.head?.status == 304)
        let big = try await bench.exchange("/big?get", to: target)
        #expect(big.body.count == 5 << 20)
        let range = try await bench.exchange("/big?r", to: target, fields: ["Range": "bytes=1-3"])
        #expect(range.head?.status == 206)
        #expect(range.text == "yyy")
        let post = try await bench.exchange(
            "/echo",
            to: target,
            method: "POST",
            fields: ["Content-Length": "3"],
            then: [.text("abc"), .end]
        )
        #expect(post.text == "POST app.example.com 3")
        // All of it went over one connection.
        #expect(try await bench.use { $0.liveConnections } == 1)
        let chunked = try await bench.exchange(
            "/echo?chunked",
            to: target,
            method: "POST",
            then: [.text("abc"), .text("d"), .end]
        )
        #expect(chunked.head?.status == 200)
        let large = try await bench.exchange(
            "/small?large",
            to: target,
            method: "POST",
            fields: ["Content-Length": "2000000"],
            then: [.zeros(2_000_000), .end]
        )
        #expect(large.head?.status == 413)
        #expect(large.reset == nil)
        #expect(large.consumed == 2_000_000)
    }
}
