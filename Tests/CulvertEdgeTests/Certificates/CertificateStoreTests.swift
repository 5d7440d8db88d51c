import Foundation
import Logging
import Testing

@testable import CulvertEdge

@Suite(.timeLimit(.minutes(1))) struct CertificateStoreTests {
    private let fixture: CertificateFixture

    init() throws { self.fixture = try CertificateFixture() }

    private func chosen(_ store: CertificateStore, _ name: String?) -> String? {
        store.certificate(for: name).files?.certificate.split(separator: "/").last.map(String.init)
    }

    @Test func exactBeforeWildcardBeforeDefault() throws {
        let store = try CertificateStore([
            self.fixture.write("default", ["default.example"]),
            self.fixture.write("wildcard", ["*.example.com"]),
            self.fixture.write("exact", ["app.example.com", "example.com"]),
            self.fixture.write("later", ["app.example.com"]),
        ])
        #expect(self.chosen(store, "app.example.com") == "exact.pem")
        #expect(self.chosen(store, "APP.example.com.") == "exact.pem")
        #expect(self.chosen(store, "www.example.com") == "wildcard.pem")
        #expect(self.chosen(store, "a.b.example.com") == "default.pem")
        #expect(self.chosen(store, "unknown.org") == "default.pem")
        #expect(self.chosen(store, nil) == "default.pem")
        #expect(store.files(for: "example.com") == self.fixture.files("exact"))
        #expect(store.warnings().isEmpty)
    }

    @Test func whatIsServedForWantOfAnotherCoversNothing() throws {
        let store = try CertificateStore([
            self.fixture.write("default", ["default.example", "*.example.com"])
        ])
        for (host, isCovered) in [
            ("default.example", true), ("app.example.com", true), ("APP.example.com.", true),
            ("example.com", false), ("a.b.example.com", false), ("other.test", false),
        ] {
            #expect(store.covers(host) == isCovered, "\(host)")
        }
    }

    @Test func misdirectedRequestsAreTold() throws {
        let store = try CertificateStore([
            self.fixture.write("one", ["one.example", "*.one.example"]),
            self.fixture.write("two", ["two.example", "shared.one.example"]),
        ])
        #expect(store.sameCertificate(serverName: "one.example", host: "www.one.example"))
        #expect(store.sameCertificate(serverName: "one.example", host: "shared.one.example"))
        #expect(!store.sameCertificate(serverName: "shared.one.example", host: "www.one.example"))
        #expect(!store.sameCertificate(serverName: "one.example", host: "two.example"))
        #expect(!store.sameCertificate(serverName: "two.example", host: "one.example"))
        #expect(store.sameCertificate(serverName: nil, host: "one.example"))
        #expect(!store.sameCertificate(serverName: nil, host: "two.example"))
        // Unknown hosts get the default certificate: unknown there, misdirected elsewhere.
        #expect(store.sameCertificate(serverName: "one.example", host: "unknown.org"))
        #expect(store.sameCertificate(serverName: "unknown.org", host: "unknown.net"))
        #expect(!store.sameCertificate(serverName: "two.example", host: "unknown.org"))
    }

    @Test func everyFailureNamesItsFile() throws {
        let good = try self.fixture.write("good", ["a.example"])
        let other = try self.fixture.write("other", ["b.example"])
        try self.fixture.directory.write("no PEM", to: "text.pem")
        let begin = "-----BEGIN CERTIFICATE-----\n"
        try self.fixture.directory.write(begin + "AAAA\n-----END CERTIFICATE-----\n", to: "bad.pem")
        let file = self.fixture.directory.file
        let error = try #require(throws: CertificateStoreError.self) {
            _ = try CertificateStore([
                good,
                CertificateFiles(certificate: file("none.pem"), key: good.key),
                CertificateFiles(certificate: file("text.pem"), key: good.key),
                CertificateFiles(certificate: file("bad.pem"), key: good.key),
                CertificateFiles(certificate: good.certificate, key: file("text.pem")),
                CertificateFiles(certificate: good.certificate, key: other.key),
                CertificateFiles(certificate: self.fixture.directory.path, key: good.key),
            ])
        }
        let expected: [(String, CertificateFileError.Reason)] = [
            (file("none.pem"), .missing), (file("text.pem"), .noCertificate),
            (file("bad.pem"), .malformedCertificate), (file("text.pem"), .unusableKey),
            (other.key, .keyDoesNotMatch(certificate: good.certificate)),
            (self.fixture.directory.path, .unreadable("Is a directory")),
        ]
        #expect(error.failures == expected.map { CertificateFileError(file: $0, reason: $1) })
        #expect(error.description.split(separator: "\n").count == expected.count)
        #expect(throws: CertificateStoreError.self) { _ = try CertificateStore([]) }
    }

    @Test func keysOfAnotherKindAndExtraTextAreTold() throws {
        let good = try self.fixture.write("good", ["a.example"])
        let directory = self.fixture.directory
        let made = try CommandLineTool.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=rsa", "-addext",
                "subjectAltName=DNS:rsa.example", "-keyout", directory.file("rsa-key.pem"),
                "-out", directory.file("rsa.pem"),
            ]
        )
        #expect(made.status == 0, "\(made.output)")
        let rsa = self.fixture.files("rsa")
        try directory.write("Bag Attributes\n  x: y\n" + directory.text("rsa.pem"), to: "rsa.pem")
        let store = try CertificateStore([good, rsa])
        #expect(self.chosen(store, "rsa.example") == "rsa.pem")
        let error = try #require(throws: CertificateStoreError.self) {
            _ = try CertificateStore([CertificateFiles(certificate: good.certificate, key: rsa.key)]
            )
        }
        #expect(error.failures.first?.reason == .keyDoesNotMatch(certificate: good.certificate))
    }

    @Test func expiryIsAWarning() throws {
        let past = Date() - 400 * 86_400
        let old = try self.fixture.write("old", ["old.example"], now: past)
        let future = try self.fixture.write("new", ["new.example"], now: Date() + 86_400)
        let nameless = try self.fixture.write("nameless", [])
        let store = try CertificateStore([old, future, nameless])
        let warnings = store.warnings()
        #expect(warnings.map(\.file) == [old, future, nameless].map(\.certificate))
        #expect(warnings[0].description.contains("expired at 20"))
        #expect(warnings[1].description.contains("not valid before"))
        #expect(warnings[2].flaw == .namesNothing)
    }

    @Test func changedFilesAreReadAgain() throws {
        let files = try self.fixture.write("site", ["one.example"])
        let store = try CertificateStore([files])
        #expect(store.refreshIfChanged().isEmpty)
        try self.fixture.write("site", ["two.example"])
        #expect(store.refreshIfChanged().reloaded == [files])
        #expect(store.certificate(for: nil).names.covers("two.example"))
        #expect(store.refreshIfChanged().isEmpty)
    }

    @Test func halfWrittenPairKeepsTheOldOne() throws {
        let files = try self.fixture.write("site", ["one.example"])
        let store = try CertificateStore([files])
        let next = try self.fixture.issue(["two.example"])
        try self.fixture.directory.write(next.certificateChainPEM, to: "site.pem")
        let mismatch = CertificateFileError(
            file: files.key,
            reason: .keyDoesNotMatch(certificate: files.certificate)
        )
        #expect(store.refreshIfChanged().failures == [mismatch])
        #expect(store.refreshIfChanged().isEmpty, "told once")
        #expect(store.certificate(for: nil).names.covers("one.example"))
        try FileManager.default.removeItem(atPath: files.key)
        #expect(store.refreshIfChanged().failures.map(\.reason) == [.missing])
        try self.fixture.directory.write(next.keyPEM, to: "site-key.pem")
        #expect(store.refreshIfChanged().reloaded == [files])
        #expect(store.certificate(for: nil).names.covers("two.example"))
    }

    @Test func issuedCertificatesComeBetweenExactAndWildcard() throws {
        let fixture = self.fixture
        let issued = IssuedCertificates(
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            accepts: { $0.hasSuffix(".localhost") },
            issue: { try fixture.issue([$0]) }
        )
        let files = try self.fixture.write("edge", ["localhost", "fixed.localhost", "*.localhost"])
        let store = try CertificateStore([files], issued: issued)
        #expect(self.chosen(store, "fixed.localhost") == "edge.pem")
        let first = store.certificate(for: "a.localhost")
        #expect(first.files == nil && first.names.covers("a.localhost"))
        #expect(store.certificate(for: "a.localhost") === first)
        #expect(store.sameCertificate(serverName: "a.localhost", host: "A.localhost"))
        #expect(!store.sameCertificate(serverName: "a.localhost", host: "b.localhost"))
        #expect(store.sameCertificate(serverName: "localhost", host: "fixed.localhost"))
        for index in 0..<300 { _ = store.certificate(for: "n\(index).localhost") }
        #expect(issued.count == 256)
        // A year later the kept one has ended.
        let later = Date() + 396 * 86_400
        #expect(store.certificate(for: "n299.localhost", now: later).files == nil)
    }
}
