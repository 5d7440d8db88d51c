import Testing

@testable import ConfigurationFile

@Suite struct ScalarTests {
    @Test(arguments: [
        ("30s", 30_000), ("1m30s", 90_000), ("500ms", 500), ("1h", 3_600_000), ("30", 30_000),
        ("0", 0), ("0s", 0), ("1.5h", 5_400_000), ("1h2m3s4ms", 3_723_004), (".5s", 500),
        ("1.s", 1_000), ("2000us", 2), ("2000µs", 2), ("1000000ns", 1),
        ("2562047h", 9_223_369_200_000),
    ])
    func durations(text: String, milliseconds: Int) {
        let duration = Duration(written: text)
        // 2562047h is Go's longest; ours ends at a hundred years.
        let expected: Duration? = text == "2562047h" ? nil : .milliseconds(milliseconds)
        #expect(duration == expected)
    }

    @Test(arguments: [
        "", "s", "-1s", "+1s", "1", "1x", "30 s", "1s2", "s1", ".", ".s", "1..5s", "1.2.3s", "1e3s",
        "٣s", "99999999999999999999s", "1d", "∞", "876001h", "1m 30s",
    ])
    func notDurations(text: String) {
        if text == "1" { return #expect(Duration(written: text) == .seconds(1)) }
        #expect(Duration(written: text) == nil)
    }

    @Test(arguments: ["1h", "1m30s", "0s", "500ms", "26h3s", "1500ms", "1ns", "10s"])
    func writtenDurationsReadBack(text: String) throws {
        let duration = try #require(Duration(written: text))
        #expect(Duration(written: duration.written) == duration)
        #expect(duration.written == text)
    }

    @Test(arguments: [
        ("64KiB", 65_536), ("1MiB", 1 << 20), ("1 MiB", 1 << 20), ("2GiB", 2 << 30),
        ("10KB", 10_000), ("10kB", 10_000), ("3MB", 3_000_000), ("512", 512), ("7B", 7), ("0", 0),
    ])
    func byteCounts(text: String, count: Int) { #expect(byteCount(written: text) == count) }

    @Test(arguments: [
        "", "KiB", "-1KiB", "1.5MiB", "64K", "64kib", "1  KiB", "99999999999999999999",
        "9999999999GiB",
        "٣KiB", "0x10",
    ])
    func notByteCounts(text: String) { #expect(byteCount(written: text) == nil) }

    @Test func byteCountsAreWrittenInTheLargestUnit() {
        #expect(written(byteCount: 65_536) == "64KiB")
        #expect(written(byteCount: 1 << 20) == "1MiB")
        #expect(written(byteCount: 1000) == "1000B")
        #expect(written(byteCount: 0) == "0B")
    }

    @Test(arguments: [
        ("127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080"),
        ("localhost:0", "localhost", 0, nil),
        ("[::1]:443", "::1", 443, "[::1]:443"), (":9090", "", 9090, ":9090"),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1, nil),
        ("a-b.example.com:65535", "a-b.example.com", 65535, nil),
        ("[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", 80, nil),
    ])
    func hostsAndPorts(text: String, host: String, port: Int, written: String?) throws {
        let address = try HostPort(text)
        #expect(address == HostPort(host: host, port: port))
        #expect(address.description == written ?? text)
    }

    @Test func aMissingPortIsTheDefaultOne() throws {
        #expect(
            try HostPort("example.com", defaultPort: 443)
                == HostPort(host: "example.com", port: 443)
        )
        #expect(try HostPort("[::1]", defaultPort: 443) == HostPort(host: "::1", port: 443))
        #expect(throws: HostPort.Malformed.self) { try HostPort("", defaultPort: 443) }
    }

    @Test(arguments: [
        ("localhost", "expected host:port"), ("", "expected host:port"),
        ("a:", "the port has to be"),
        ("a:65536", "the port has to be"), ("a:-1", "the port has to be"),
        ("a:+1", "the port has to be"),
        ("a:http", "the port has to be"), ("::1:80", "in brackets"),
        ("http://a:80", "expected host:port"),
        ("[::1]80", "expected host:port"), ("[::1", "expected host:port"),
        ("[]:80", "expected host:port"),
        ("[a]:80", "expected host:port"), ("a b:80", "expected host:port"),
        ("a/b:80", "expected host:port"),
        ("[::1%]:80", "expected host:port"), ("user@a:80", "expected host:port"),
    ])
    func notHostsAndPorts(text: String, message: String) {
        let error = #expect(throws: HostPort.Malformed.self) { try HostPort(text) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test(arguments: [
        ("hostnmae", "hostname"), ("originrequest", "originRequest"),
        ("no-tls-verify", "noTLSVerify"),
        ("servcie", "service"), ("Path", "path"), ("xyz", nil), ("", nil), ("a", nil),
    ])
    func nearestNames(word: String, name: String?) {
        let names = ["hostname", "path", "service", "originRequest", "noTLSVerify"]
        #expect(nearest(to: word, among: names) == name)
        #expect(nearest(to: word, among: []) == nil)
    }
}
