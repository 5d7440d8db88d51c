import Foundation

/// A self-signed certificate for `connect.test`, made by the openssl command.
struct TestCertificate {
    let directory: URL
    var certificate: String { self.directory.appendingPathComponent("cert.pem").path }
    var key: String { self.directory.appendingPathComponent("key.pem").path }

    init() throws {
        self.directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("culvert-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: self.directory,
            withIntermediateDirectories: true
        )
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=connect.test", "-addext",
            "subjectAltName=DNS:connect.test", "-keyout", self.key, "-out", self.certificate,
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableNotLoadable) }
    }

    func remove() { try? FileManager.default.removeItem(at: self.directory) }
}
