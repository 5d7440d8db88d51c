import ConfigurationFile
import ControlAPI
import Foundation
import Testing

@testable import ControlClient

/// The login that is kept between two commands.
@Suite(.timeLimit(.minutes(1))) struct LoginTests {
    private func login() throws -> Login {
        Login(
            edge: try EdgeURL("https://edge.example.com:8443"),
            token: "cvs_a-secret",
            account: "ann",
            caFile: "/etc/ca.pem",
            edgeAddress: HostPort(host: "127.0.0.1", port: 4433)
        )
    }

    @Test func aLoginIsKeptForItsOwnerOnly() throws {
        let temporary = try TemporaryDirectory()
        let directory = ConfigurationDirectory(path: temporary.file("home/culvert"))
        #expect(try Login(in: directory) == nil)
        try self.login().write(in: directory)
        #expect(try Login(in: directory) == self.login())
        #expect(try temporary.mode("home/culvert") == 0o700)
        #expect(try temporary.mode("home/culvert/login.json") == 0o600)
        let other = Login(edge: try EdgeURL("other.test"), token: "cvs_b", account: "bob")
        try other.write(in: directory)
        #expect(try Login(in: directory) == other)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(names == ["login.json"])
        try Login.remove(in: directory)
        try Login.remove(in: directory)
        #expect(try Login(in: directory) == nil)
    }

    @Test(arguments: ["", "{", "{}", #"{"edge":"http://a","token":"cvs_a-secret","account":"x"}"#])
    func aDamagedFileIsNamed(text: String) throws {
        let temporary = try TemporaryDirectory()
        let directory = ConfigurationDirectory(path: temporary.path)
        try PrivateFile.write(
            Data(text.utf8),
            to: temporary.file("login.json"),
            replacing: false
        )
        let error = #expect(throws: LoginFileError.self) { try Login(in: directory) }
        let words = error?.description ?? ""
        #expect(words.contains(temporary.file("login.json")))
        #expect(!words.contains("a-secret"))
    }

    @Test func aFileThatOthersMayReadIsRefused() throws {
        let temporary = try TemporaryDirectory()
        let directory = ConfigurationDirectory(path: temporary.path)
        try self.login().write(in: directory)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644],
            ofItemAtPath: temporary.file("login.json")
        )
        let error = #expect(throws: LoginFileError.self) { try Login(in: directory) }
        #expect(error?.description.contains("chmod 600") == true)
    }

    @Test func theTokenIsInNoText() throws {
        let login = try self.login()
        var dumped = ""
        dump(login, to: &dumped)
        for text in ["\(login)", String(reflecting: login), dumped] {
            #expect(!text.contains("a-secret"))
        }
    }

    @Test(arguments: [
        ("edge.example.com", "https://edge.example.com"),
        ("https://Edge.Example.COM/", "https://edge.example.com"),
        ("HTTPS://edge.example.com:443", "https://edge.example.com"),
        ("edge.example.com:8443", "https://edge.example.com:8443"),
        ("https://[::1]:8443", "https://[::1]:8443"),
    ])
    func edgesAreNamedAsPeopleDo(text: String, url: String) throws {
        #expect("\(try EdgeURL(text))" == url)
    }

    @Test(arguments: [
        ("http://edge.example.com", "in the clear"), ("ftp://edge.example.com", "https://"),
        ("https://user@edge.example.com", "user name"), ("https://edge.example.com/path", "not an"),
        ("", "not an"), ("https://", "not an"), ("edge.example.com:0", "not an"),
        ("edge.example.com:99999", "not an"), ("a b", "not an"),
    ])
    func whatIsNoEdgeIsRefused(text: String, words: String) {
        let error = #expect(throws: EdgeURL.Malformed.self) { try EdgeURL(text) }
        #expect(error?.description.contains(words) == true)
    }

    @Test func theEnvironmentNamesAProxy() throws {
        let proxy = try WebProxy(
            environment: ["HTTPS_PROXY": "http://user:secret@proxy.test:3128/"],
            hosts: ["edge.test"]
        )
        #expect(proxy?.description == "http://proxy.test:3128")
        let both = ["https_proxy": "one.test:1", "HTTPS_PROXY": "two.test:2"]
        #expect(
            try WebProxy(environment: both, hosts: ["a"])?.description == "http://one.test:1"
        )
        let socks = try WebProxy(environment: ["ALL_PROXY": "socks5h://s.test"], hosts: ["a"])
        #expect(socks?.description == "socks5://s.test:1080")
        #expect(try WebProxy(environment: ["https_proxy": ""], hosts: ["a"]) == nil)
        let error = #expect(throws: ControlClientError.self) {
            try WebProxy(environment: ["HTTPS_PROXY": "https://u:secret@p.test"], hosts: ["a"])
        }
        #expect(error.map { "\($0)".contains("secret") } == false)
    }

    @Test(arguments: [
        ("edge.example.com", "example.com", true), ("edge.example.com", ".example.com", true),
        ("edge.example.com", "*.example.com", true), ("edge.example.com", "*", true),
        ("edge.example.com", "other.test, EDGE.example.com", true),
        ("edge.example.com", "ample.com", false), ("edge.example.com", "", false),
        ("localhost", "", true), ("app.localhost", "", true), ("127.0.0.1", "", true),
    ])
    func someHostsNeedNoProxy(host: String, list: String, isDirect: Bool) throws {
        let proxy = try WebProxy(
            environment: ["HTTPS_PROXY": "proxy.test:1", "NO_PROXY": list],
            hosts: [host]
        )
        #expect((proxy == nil) == isDirect)
    }
}
