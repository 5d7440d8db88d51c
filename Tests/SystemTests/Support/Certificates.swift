import Foundation

/// An authority and certificates of it, made with the openssl command once for all tests.
final class Certificates: Sendable {
    static let shared = Result { try Certificates() }

    let authority: String
    /// For `example.test` and every name below it.
    let edge: (certificate: String, key: String)
    /// For `other.test`.
    let other: (certificate: String, key: String)
    /// For `localhost`, by the same authority: an origin's.
    let origin: (certificate: String, key: String)

    private init() throws {
        let directory = NSTemporaryDirectory() + "culvert-system-certificates-\(getpid())"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        self.authority = directory + "/ca.pem"
        try Self.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
                + " -keyout ca.key -out ca.pem -subj /CN=test -batch",
            in: directory
        )
        func issue(_ name: String, _ names: String) throws -> (String, String) {
            try Self.openssl(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout \(name).key"
                    + " -out \(name).csr -subj /CN=\(name)",
                in: directory
            )
            try "subjectAltName=\(names)".write(
                toFile: "\(directory)/\(name).ext",
                atomically: true,
                encoding: .utf8
            )
            try Self.openssl(
                "x509 -req -in \(name).csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30"
                    + " -extfile \(name).ext -out \(name).pem",
                in: directory
            )
            return ("\(directory)/\(name).pem", "\(directory)/\(name).key")
        }
        self.edge = try issue("edge", "DNS:example.test,DNS:*.example.test,DNS:*.sub.example.test")
        self.other = try issue("other", "DNS:other.test")
        self.origin = try issue("origin", "DNS:localhost")
        atexit {
            try? FileManager.default.removeItem(
                atPath: NSTemporaryDirectory() + "culvert-system-certificates-\(getpid())"
            )
        }
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
        guard process.terminationStatus == 0 else { throw TestFailure("openssl \(arguments)") }
    }
}
