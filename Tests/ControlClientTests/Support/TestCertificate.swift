import Foundation

/// An authority, and a certificate of it for `edge.test`, made with the openssl command once for all tests.
final class TestCertificate: Sendable {
    static let shared = Result { try TestCertificate() }

    let authority: String
    let certificate: String
    let key: String
    private let directory: TemporaryDirectory

    private init() throws {
        self.directory = try TemporaryDirectory()
        let directory = self.directory
        self.authority = directory.file("ca.pem")
        self.certificate = directory.file("edge.pem")
        self.key = directory.file("edge.key")
        func openssl(_ arguments: String) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.arguments = arguments.split(separator: " ").map(String.init)
            process.currentDirectoryURL = URL(fileURLWithPath: directory.path)
            process.standardError = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { throw TestFailure("openssl \(arguments)") }
        }
        let newKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        try openssl("req -x509 \(newKey) -days 30 -keyout ca.key -out ca.pem -subj /CN=test -batch")
        try openssl("req \(newKey) -keyout edge.key -out edge.csr -subj /CN=edge")
        try directory.write("subjectAltName=DNS:edge.test", to: "edge.ext")
        try openssl(
            "x509 -req -in edge.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30"
                + " -extfile edge.ext -out edge.pem"
        )
    }
}
