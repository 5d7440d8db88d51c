import ConfigurationFile
import Foundation
import Testing

@testable import CulvertConnector

/// A connector's key and edge as one string.
@Suite struct TunnelTokenTests {
    private func credentials() -> Credentials {
        var credentials = Credentials(
            newFor: "demo",
            edge: HostPort(host: "connect.example.com", port: 8443)
        )
        credentials.tunnelID = "11111111-2222-3333-4444-555555555555"
        credentials.edgeAddress = HostPort(host: "127.0.0.1", port: 1)
        credentials.caCertificates = "-----BEGIN CERTIFICATE-----\nAA==\n"
        return credentials
    }

    private func token(of contents: String) -> String {
        let text = Data(contents.utf8).base64EncodedString()
        return "cvt_"
            + text.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    @Test func aTokenReadsBack() throws {
        let expiry = Date(timeIntervalSince1970: 1_800_000_000.75)
        let token = try #require(
            TunnelToken(self.credentials(), hostnames: ["a.example.com"], expiresAt: expiry)
        )
        let letters = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-_"))
        #expect(token.text.hasPrefix("cvt_"))
        #expect(token.text.unicodeScalars.allSatisfy { letters.contains($0) })
        let read = try TunnelToken(" \(token.text)\n")
        #expect(read == token)
        #expect(read.edge == HostPort(host: "connect.example.com", port: 8443))
        #expect(read.credentials.privateKey == token.credentials.privateKey)
        #expect(read.credentials.publicKey == token.credentials.publicKey)
        #expect(read.credentials.caCertificates == token.credentials.caCertificates)
        #expect(read.expiresAt == Date(timeIntervalSince1970: 1_800_000_000))
        // Of this machine, and of no other.
        #expect(read.credentials.edgeAddress == nil)
    }

    @Test func credentialsWithoutAnEdgeMakeNone() {
        #expect(TunnelToken(Credentials(newFor: "demo")) == nil)
    }

    @Test func aTokenThatIsCutAnywhereIsRefused() throws {
        let text = try #require(TunnelToken(self.credentials())).text
        for length in 0..<text.count {
            #expect(throws: TunnelTokenError.self) { try TunnelToken(String(text.prefix(length))) }
        }
    }

    @Test(arguments: [
        ("", "empty"), ("cve_abcdef", "enrolment code"), ("cvs_abcdef", "login"),
        ("eyJhIjoiIn0", "cloudflared"), ("something", "begin with cvt_"),
        ("cvt_", "cut short"), ("cvt_!!!!", "cut short"), ("cvt_AAAA+A==", "cut short"),
    ])
    func whatIsNoTokenIsToldApart(text: String, words: String) {
        let error = #expect(throws: TunnelTokenError.self) { try TunnelToken(text) }
        #expect(error?.description.contains(words) == true)
    }

    @Test func contentsThatAreWrong() {
        let key = Data(repeating: 7, count: 32).base64EncodedString()
        let cases = [
            (#"{"v":2,"later":"secret"}"#, "version 2"), (#"{"v":1}"#, "lacks"),
            (#"{"v":1,"name":"","edge":"a:1","key":"\#(key)"}"#, "none"),
            (#"{"v":1,"name":"demo","edge":"a:1","key":"c2VjcmV0"}"#, "none"),
            (#"{"v":1,"name":"demo","edge":":1","key":"\#(key)"}"#, "where the edge is"),
            (#"{"v":1,"name":"demo","edge":"a:secret","key":"\#(key)"}"#, "where the edge is"),
        ]
        for (contents, words) in cases {
            let error = #expect(throws: TunnelTokenError.self) {
                try TunnelToken(self.token(of: contents))
            }
            let text = error?.description ?? ""
            #expect(text.contains(words), "\(contents): \(text)")
            #expect(!text.contains("secret"))
        }
    }

    @Test func theKeyIsInNoText() throws {
        let token = try #require(TunnelToken(self.credentials()))
        let key = token.credentials.privateKey.base64EncodedString()
        var dumped = ""
        dump(token, to: &dumped)
        for text in ["\(token)", String(reflecting: token), dumped] { #expect(!text.contains(key)) }
    }
}
