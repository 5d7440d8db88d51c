import ConfigurationFile
import Testing

@testable import CulvertAccess

@Suite(.timeLimit(.minutes(1)))
struct AccessTargetTests {
    @Test(arguments: [
        ("ssh.example.com", "ssh.example.com", 443, "/", "ssh.example.com"),
        ("ssh.example.com:8443", "ssh.example.com", 8443, "/", "ssh.example.com:8443"),
        ("https://ssh.example.com", "ssh.example.com", 443, "/", "ssh.example.com"),
        ("WSS://ssh.example.com:443/a?b#c", "ssh.example.com", 443, "/a?b", "ssh.example.com"),
        ("[::1]:8443", "::1", 8443, "/", "[::1]:8443"), ("[::1]", "::1", 443, "/", "[::1]"),
        ("a.test?x", "a.test", 443, "/?x", "a.test"),
    ])
    func hostnames(
        text: String,
        hostname: String,
        port: Int,
        path: String,
        authority: String
    ) throws {
        let target = try AccessTarget(hostname: text)
        #expect(target.hostname == hostname && target.port == port && target.path == path)
        #expect(target.authority == authority)
        #expect(target.serverName == (hostname.contains(":") ? nil : hostname))
    }

    @Test(arguments: [
        ("https://me:secret@a.test", "Basic bWU6c2VjcmV0"),
        ("me:s%40c@a.test:1/x", "Basic bWU6c0Bj"),
    ])
    func login(text: String, value: String) throws {
        let target = try AccessTarget(hostname: text)
        #expect(target.hostname == "a.test")
        #expect(target.fields.map(\.name) == ["Authorization"])
        #expect(target.fields.map(\.value) == [value])
    }

    @Test(arguments: [
        "", "me@a.test", ":443", "http://a.test", "a b", "a.test:0", "a.test:x", "a.test/ü", "::1",
    ])
    func whatIsNoHostname(text: String) {
        #expect(throws: AccessError.self) { try AccessTarget(hostname: text) }
    }

    @Test(arguments: [
        ("A: b", "A", "b"), ("Authorization:Bearer x:y", "Authorization", "Bearer x:y"),
        ("X-Empty:", "X-Empty", ""),
    ])
    func fields(text: String, name: String, value: String) throws {
        var target = try AccessTarget(hostname: "a.test")
        try target.addField(text)
        #expect(target.fields.map(\.name) == [name] && target.fields.map(\.value) == [value])
    }

    @Test(arguments: ["", "A", ": b", "A b: c", "A: b\r\nC: d", "A\n: b", "A: \u{0}"])
    func whatIsNoField(text: String) throws {
        var target = try AccessTarget(hostname: "a.test")
        #expect(throws: AccessError.self) { try target.addField(text) }
        #expect(target.fields.isEmpty)
    }

    @Test func theEdgeAddressIsDialledInstead() throws {
        var target = try AccessTarget(hostname: "a.test:8443")
        #expect(target.dialled.description == "a.test:8443")
        target.edgeAddress = HostPort(host: "127.0.0.1", port: 1)
        #expect(target.dialled.description == "127.0.0.1:1")
        #expect(target.authority == "a.test:8443")
    }
}
