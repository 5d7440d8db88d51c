import Foundation
import SwiftASN1
import Testing
import X509

@testable import CulvertEdge

@Suite(.timeLimit(.minutes(1))) struct DevelopmentAuthorityTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        self.directory = try TemporaryDirectory()
        self.path = self.directory.file("a/dev")
    }

    private func text(_ name: String) throws -> String { try self.directory.text("a/dev/\(name)") }

    private func write(_ text: String, to name: String) throws {
        try self.directory.write(text, to: "a/dev/\(name)")
    }

    @Test func filesArePrivateAndStayTheSame() throws {
        let first = try DevelopmentAuthority(directory: self.path)
        #expect(first.authorityPath == "\(self.path)/ca.pem")
        let names = ["ca.pem", "ca-key.pem", "edge.pem", "edge-key.pem"]
        for name in names { #expect(try self.directory.mode("a/dev/\(name)") == 0o600) }
        #expect(try self.directory.mode("a/dev") == 0o700)
        #expect(try self.directory.mode("a") == 0o700)
        let before = try names.map { try self.text($0) }
        _ = try DevelopmentAuthority(directory: self.path)
        #expect(try names.map { try self.text($0) } == before)
        let present = try FileManager.default.contentsOfDirectory(atPath: self.path)
        #expect(Set(present) == Set(names + [".lock"]))
    }

    @Test func edgeCertificateIsRenewedBeforeItEnds() throws {
        _ = try DevelopmentAuthority(directory: self.path)
        let authority = try self.text("ca.pem")
        let first = try self.text("edge.pem")
        let later = Date() + 300 * 86_400
        _ = try DevelopmentAuthority(directory: self.path, now: later)
        #expect(try self.text("edge.pem") == first)
        let late = Date() + 370 * 86_400
        let running = try DevelopmentAuthority(directory: self.path, now: late)
        #expect(try self.text("edge.pem") != first)
        #expect(try self.text("ca.pem") == authority)
        #expect(try !running.renewEdgeIfNeeded(now: late))
        // Shortly before the authority's own end it is not made anew each time.
        let end = Date() + 3_640 * 86_400
        let last = try DevelopmentAuthority(directory: self.path, now: end)
        #expect(try !last.renewEdgeIfNeeded(now: end))
    }

    @Test func leavesLiveShorterThanBrowsersAllow() throws {
        _ = try DevelopmentAuthority(directory: self.path)
        let leaf = try Certificate(pemEncoded: self.text("edge.pem"))
        let days = leaf.notValidAfter.timeIntervalSince(leaf.notValidBefore) / 86_400
        #expect(days <= 397 && days > 390)
    }

    @Test(arguments: ["ca.pem", "ca-key.pem", "edge.pem", "edge-key.pem"])
    func damagedFileIsNamed(name: String) throws {
        _ = try DevelopmentAuthority(directory: self.path)
        let whole = try self.text(name)
        for damaged in ["", "no PEM", String(whole.prefix(whole.count / 2))] {
            try self.write(damaged, to: name)
            let error = try #require(throws: DevelopmentAuthorityError.self) {
                _ = try DevelopmentAuthority(directory: self.path)
            }
            #expect(error.path == "\(self.path)/\(name)" && error.reason == .corrupted)
            #expect(try self.text(name) == damaged, "left for a person to look at")
        }
    }

    @Test func missingAndForeignKeysAreTold() throws {
        _ = try DevelopmentAuthority(directory: self.path)
        let key = self.directory.file("a/dev/ca-key.pem")
        try self.write(try self.text("edge-key.pem"), to: "ca-key.pem")
        let foreign = try #require(throws: DevelopmentAuthorityError.self) {
            _ = try DevelopmentAuthority(directory: self.path)
        }
        #expect(foreign.description.hasPrefix("\(key): the key does not belong to"))
        try FileManager.default.removeItem(atPath: key)
        let missing = try #require(throws: DevelopmentAuthorityError.self) {
            _ = try DevelopmentAuthority(directory: self.path)
        }
        #expect(missing.path == key && missing.reason == .missing(beside: "ca.pem"))
        let expired = try #require(throws: DevelopmentAuthorityError.self) {
            let other = self.directory.file("b")
            _ = try DevelopmentAuthority(directory: other)
            _ = try DevelopmentAuthority(directory: other, now: Date() + 3_651 * 86_400)
        }
        #expect(expired.reason == .expired)
    }

    @Test func unfinishedWritesAreRepaired() throws {
        _ = try DevelopmentAuthority(directory: self.path)
        let other = try DevelopmentAuthority(directory: self.directory.file("b"))
        // The key of a new pair beside the certificate of the old one, and what a crash leaves.
        try self.write(try self.directory.text("b/edge-key.pem"), to: "edge-key.pem")
        try self.write("half", to: ".edge.pem.new")
        let repaired = try DevelopmentAuthority(directory: self.path)
        let pair = try CertificatePair(reading: repaired.edgeFiles)
        _ = try ServedCertificate(pair)
        // A leaf of another authority.
        for name in ["edge.pem", "edge-key.pem"] {
            try self.write(try self.directory.text("b/\(name)"), to: name)
        }
        _ = try DevelopmentAuthority(directory: self.path)
        #expect(try self.text("edge.pem") != self.directory.text("b/edge.pem"))
        _ = other
        try FileManager.default.removeItem(atPath: self.directory.file("a/dev/ca.pem"))
        _ = try DevelopmentAuthority(directory: self.path)
    }

    @Test func directoryThatCannotBeIsNamed() throws {
        try self.directory.write("", to: "file")
        for path in [self.directory.file("file"), self.directory.file("file/below")] {
            let error = try #require(throws: DevelopmentAuthorityError.self) {
                _ = try DevelopmentAuthority(directory: path)
            }
            #expect(error.path.hasPrefix(self.directory.file("file")))
        }
    }

    @Test func opensslAcceptsTheChain() throws {
        let authority = try DevelopmentAuthority(directory: self.path)
        for host in ["localhost", "connect.localhost"] {
            let verified = try CommandLineTool.run(
                "openssl",
                [
                    "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host,
                    "-CAfile", authority.authorityPath, authority.edgeFiles.certificate,
                ]
            )
            #expect(verified.status == 0, "\(verified.output)")
        }
        let address = try CommandLineTool.run(
            "openssl",
            [
                "verify", "-x509_strict", "-verify_ip", "::1",
                "-CAfile", authority.authorityPath, authority.edgeFiles.certificate,
            ]
        )
        #expect(address.status == 0, "\(address.output)")
    }

    @Test func nameConstraintsHoldTheAuthorityToLoopback() throws {
        let authority = try DevelopmentAuthority(directory: self.path)
        let made = try authority.issueLeaf(for: ["www.example.com"])
        try self.directory.write(made.certificateChainPEM, to: "stolen.pem")
        let verified = try CommandLineTool.run(
            "openssl",
            ["verify", "-CAfile", authority.authorityPath, self.directory.file("stolen.pem")]
        )
        #expect(verified.status != 0)
        #expect(verified.output.contains("permitted subtree violation"), "\(verified.output)")
    }

    /// Why names below `localhost` get certificates of their own.
    @Test func opensslRefusesAWildcardBelowLocalhost() throws {
        let authority = try DevelopmentAuthority(directory: self.path)
        for (name, isAccepted) in [("*.localhost", false), ("a.localhost", true)] {
            let made = try authority.issueLeaf(for: [name])
            try self.directory.write(made.certificateChainPEM, to: "leaf.pem")
            let verified = try CommandLineTool.run(
                "openssl",
                [
                    "verify", "-verify_hostname", "a.localhost",
                    "-CAfile", authority.authorityPath, self.directory.file("leaf.pem"),
                ]
            )
            #expect((verified.status == 0) == isAccepted, "\(verified.output)")
        }
    }
}
