import ConfigurationFile
import Crypto
import Foundation
import Testing

@testable import CulvertConnector

@Suite struct CredentialsTests {
    private let folder = FileManager.default.temporaryDirectory
        .appending(path: "k-\(UInt64.random(in: 0 ... .max))").path

    private func inFolder(_ body: (String) throws -> Void) throws {
        try FileManager.default.createDirectory(
            atPath: self.folder,
            withIntermediateDirectories: true
        )
        defer { try? FileManager.default.removeItem(atPath: self.folder) }
        try body(self.folder + "/demo.json")
    }

    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    @Test func writtenCredentialsReadBack() throws {
        try self.inFolder { file in
            let edge = HostPort(host: "connect.example.com", port: 8443)
            let made = Credentials(newFor: "demo", edge: edge)
            try made.write(to: file)
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: self.folder) == ["demo.json"]
            )
            let read = try Credentials(file: file)
            #expect(read == made)
            #expect(read.edge == edge)
            let pair = try Curve25519.Signing.PrivateKey(rawRepresentation: read.privateKey)
            let signature = try pair.signature(for: Data("challenge".utf8))
            let key = try Curve25519.Signing.PublicKey(rawRepresentation: made.publicKey)
            #expect(key.isValidSignature(signature, for: Data("challenge".utf8)))
            #expect(made.edgeLine == "public-key: \(made.publicKey.base64EncodedString())")
            #expect(Credentials(newFor: "demo") != Credentials(newFor: "demo"))
        }
    }

    @Test func anExistingFileIsNotReplacedUnlessAsked() throws {
        try self.inFolder { file in
            let first = Credentials(newFor: "first")
            try first.write(to: file)
            #expect(
                self.message { try Credentials(newFor: "b").write(to: file) }.contains(
                    "exists already"
                )
            )
            #expect(try Credentials(file: file) == first)
            try Credentials(newFor: "second").write(to: file, replacing: true)
            #expect(try Credentials(file: file).tunnelName == "second")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: self.folder) == ["demo.json"]
            )
            let nowhere = self.folder + "/missing/x.json"
            #expect(self.message { try first.write(to: nowhere) }.contains("No such file"))
        }
    }

    @Test(arguments: [
        (0o600, true), (0o400, true), (0o640, true), (0o440, true), (0o644, false), (0o660, false),
        (0o604, false), (0o601, false), (0o777, false),
    ])
    func modes(mode: Int, accepted: Bool) throws {
        try self.inFolder { file in
            try Credentials(newFor: "demo").write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
            let message = self.message { _ = try Credentials(file: file) }
            #expect((message == "no error") == accepted, "\(message)")
            if !accepted { #expect(message.contains("chmod 600 \(file)")) }
        }
    }

    @Test(arguments: [
        ("", "is not a JSON object"), ("{\"TunnelName\": \"de", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("\u{0}", "is not a JSON object"), ("{}", "TunnelName is missing"),
        (#"{"TunnelName": 5}"#, "TunnelName has to be text"),
        (#"{"TunnelName": ""}"#, "TunnelName has to be from 1"),
        (#"{"TunnelName": "a"}"#, "PublicKey is missing"),
        (#"{"TunnelName": "a", "PublicKey": "x"}"#, "PublicKey has to be 32 bytes"),
        (#"{"TunnelName": "a", "PublicKey": "AAAA"}"#, "PublicKey has to be 32 bytes"),
        (#"{"TunnelName": "a", "Edge": 5, "PublicKey": "AAAA"}"#, "Edge has to be text"),
        (#"{"TunnelName": "a", "Edge": "a:b", "PublicKey": "AAAA"}"#, "Edge: the port has to be"),
        (
            #"{"TunnelName": "a", "PublicKey": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}"#,
            "PrivateKey is missing"
        ),
        (
            #"{"TunnelName": "a", "PublicKey": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "PrivateKey": "TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs="}"#,
            "PublicKey and PrivateKey do not belong together"
        ),
        (
            #"{"AccountTag":"a","TunnelSecret":"AAAA","TunnelID":"6ff42ae2-765d-4adf-8112-31c55c1551ef","Endpoint":""}"#,
            "is a credentials file of cloudflared's"
        ),
    ])
    func brokenContents(text: String, message: String) {
        let found = self.message { _ = try Credentials(decoding: Data(text.utf8), file: "f.json") }
        #expect(found.hasPrefix("f.json: \(message)"), "\(found)")
    }

    /// RFC 8032 §7.1, test 1.
    @Test func aKnownKey() throws {
        let text =
            #"{"TunnelName": "a", "PublicKey": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "PrivateKey": "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="}"#
        let credentials = try Credentials(decoding: Data(text.utf8), file: "f")
        #expect(credentials.tunnelName == "a")
        #expect(credentials.edge == nil)
    }

    @Test func filesThatAreNone() throws {
        try self.inFolder { file in
            #expect(self.message { _ = try Credentials(file: file) }.contains("keygen"))
            #expect(
                self.message { _ = try Credentials(file: self.folder) }
                    == "\(self.folder): is not a file"
            )
            _ = FileManager.default.createFile(
                atPath: file,
                contents: Data(),
                attributes: [.posixPermissions: 0o600]
            )
            #expect(self.message { _ = try Credentials(file: file) } != "no error")
            let large = Data(repeating: 0x20, count: 70_000)
            _ = FileManager.default.createFile(
                atPath: file,
                contents: large,
                attributes: [.posixPermissions: 0o600]
            )
            #expect(self.message { _ = try Credentials(file: file) }.contains("too large"))
        }
    }

    @Test func keysAreNeverPrinted() {
        let credentials = Credentials(newFor: "demo")
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), dumped] {
            #expect(!text.contains(credentials.privateKey.base64EncodedString()))
            #expect(!text.contains("bytes") && text.contains("demo"))
        }
    }
}
