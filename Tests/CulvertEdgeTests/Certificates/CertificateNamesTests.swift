import Testing

@testable import CulvertEdge

@Suite struct CertificateNamesTests {
    private let names = CertificateNames(
        dnsNames: [
            "Example.com", "*.example.com", "*.a.example.com", "f*.example.org", "127.0.0.1",
        ]
    )

    @Test(arguments: [
        "example.com", "EXAMPLE.com.", "www.example.com", "a.example.com", "x.a.example.com",
        "127.0.0.1",
    ])
    func covers(host: String) { #expect(self.names.covers(host)) }

    @Test(arguments: [
        "example.org", "x.y.example.com", "com", "", ".example.com", "fx.example.org",
        "x.x.a.example.com", "[::1]", "[", "127.0.0.2", "ex ample.com", "notexample.com",
    ])
    func doesNotCover(host: String) { #expect(!self.names.covers(host)) }

    @Test func wildcardsNeverCoverAddresses() {
        #expect(!CertificateNames(dnsNames: ["*.0.0.1"]).covers("127.0.0.1"))
    }

    @Test func addressesAreComparedInCanonicalForm() throws {
        let fixture = try TemporaryDirectory()
        let authority = try DevelopmentAuthority(directory: fixture.path)
        let store = try CertificateStore([authority.edgeFiles])
        let names = store.certificate(for: nil).names
        for host in ["127.0.0.1", "::1", "[::1]", "[0:0::0:1]", "localhost", "connect.localhost"] {
            #expect(names.covers(host), "\(host)")
        }
        #expect(!names.covers("[::2]") && !names.covers("a.localhost"))
        withExtendedLifetime(fixture) {}
    }
}
