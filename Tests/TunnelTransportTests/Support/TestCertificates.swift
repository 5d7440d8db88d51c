import Foundation
import Testing

@testable import TunnelTransport

/// Two throw-away authorities and certificates of theirs, made with the openssl command.
final class TestCertificates: Sendable {
    static let shared = TestCertificates()

    let directory: String

    var authority: String { self.directory + "/ca.pem" }
    var stranger: String { self.directory + "/stranger.pem" }

    private init() {
        let directory = NSTemporaryDirectory() + "culvert-transport-\(getpid())"
        self.directory = directory
        do {
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true
            )
            for name in ["ca", "stranger"] {
                try Self.openssl(
                    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
                        + " -keyout \(name).key -out \(name).pem -subj /CN=\(name)",
                    in: directory
                )
            }
            for (name, host, days) in [
                ("edge", "edge.test", 30), ("next", "edge.test", 30), ("other", "other.test", 30),
                ("expired", "edge.test", -1),
            ] {
                try Self.issue(name, host: host, days: days, in: directory)
            }
        } catch {
            Issue.record("no test certificates: \(error)")
        }
    }

    func files(_ name: String) -> ServerCertificates.Files {
        ServerCertificates.Files(
            certificate: "\(self.directory)/\(name).pem",
            key: "\(self.directory)/\(name).key"
        )
    }

    private static func issue(
        _ name: String,
        host: String,
        days: Int,
        in directory: String
    ) throws {
        // The replacement has another kind of key: the old one must not be shown beside it.
        let key = name == "next" ? "rsa:2048" : "ec -pkeyopt ec_paramgen_curve:P-256"
        try Self.openssl(
            "req -newkey \(key) -nodes -keyout \(name).key -out \(name).csr -subj /CN=\(name)",
            in: directory
        )
        try "subjectAltName=DNS:\(host)".write(
            toFile: "\(directory)/\(name).ext",
            atomically: true,
            encoding: .utf8
        )
        try Self.openssl(
            "x509 -req -in \(name).csr -CA ca.pem -CAkey ca.key -CAcreateserial -days \(days)"
                + " -extfile \(name).ext -out \(name).pem",
            in: directory
        )
    }

    private static func openssl(_ arguments: String, in directory: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments.split(separator: " ").map(String.init)
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments)")
    }
}
