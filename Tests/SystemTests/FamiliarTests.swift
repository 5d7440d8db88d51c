import Foundation
import Testing

extension SystemTests {
    /// What people type who come from cloudflared or ngrok.
    @Suite struct Familiar {
        @Test(
            "where there is something else it says what, below the mistake",
            .timeLimit(.minutes(1)),
            arguments: [
                ("tunnel login", "culvert login https://"), ("tunnel vnet list", "ipRules"),
                ("tunnel network list", "ipRules"),
                ("tunnel route ip add 10.0.0.0/8 demo", "ipRules"),
                ("tunnel route lb demo a.test pool", "--balance"),
                ("tunnel run --protocol quic demo", "leave --protocol out"),
                ("tunnel --metrics 127.0.0.1:1 run", "CULVERT_METRICS"),
                ("tunnel run demo --grace-period 1m", "grace-period: 30s"),
                ("tunnel --origincert x list", "culvert login"),
                ("tunnel run --region us", "no regions"),
                ("tunnel run --logfile x", "standard error"),
                ("tunnel --hello-world", "culvert http hello_world"),
                ("tunnel --url http://localhost:1 --name x", "culvert http URL"),
                ("tunnel --name x", "culvert tunnel create NAME"),
                ("tunnel cleanup --connector-id x demo", "leave it out"),
                ("access login https://a.test", "Authorization: Basic"),
                ("access token a", "basicAuth"), ("access curl https://a.test", "ordinary one"),
                ("update", "does not update itself"), ("proxy-dns", "unbound"),
                ("config add-authtoken x", "CULVERT_ENROLMENT"),
                ("authtoken x", "CULVERT_ENROLMENT"),
                ("http --authtoken=x 3000", "culvert login"),
                ("tcp --authtoken=x 22", "culvert login"),
                ("http --host-header=a.test 3000", "httpHostHeader"),
                ("http 3000 --region eu", "no regions"), ("tcp 22 --region eu", "no regions"),
                ("http 3000 --oauth google", "--cidr-allow"),
                ("http 3000 --oidc x", "--cidr-allow"), ("http 3000 --inspect", "culvert tail"),
                ("http 3000 --scheme http", "edge.yml"),
                ("tcp 22 --remote-addr a:1", "--port 20022"),
                ("tcp 22 --url a:1", "--port 20022"), ("tls 443", "culvert http https://"),
                ("start --all", "culvert tunnel run --config"),
                ("service start", "systemctl start"), ("service stop", "systemctl stop"),
                ("api endpoints", "openapi.json"),
            ]
        )
        func hints(line: String, advice: String) throws {
            let directory = try TemporaryDirectory()
            let said = try Home(directory).run(line.split(separator: " ").map(String.init))
            #expect(said.status == 64)
            #expect(said.errors.hasPrefix("Error: ") && said.output.isEmpty, "\(said.errors)")
            #expect(
                said.errors.split(separator: "\n").last?.contains(advice) == true,
                "\(said.errors)"
            )
        }

        @Test(
            "where it means just the same it is done",
            .timeLimit(.minutes(1)),
            arguments: [
                // The file, the token, the origin were reached: they are what is wrong.
                ("tunnel --config /nowhere/c.yml run", "/nowhere/c.yml", 78),
                ("tunnel --config=/nowhere/c.yml run demo", "/nowhere/c.yml", 78),
                ("tunnel --config /nowhere/c.yml ingress validate", "/nowhere/c.yml", 78),
                ("tunnel --loglevel warn --config /nowhere/c.yml run", "/nowhere/c.yml", 78),
                ("tunnel run --loglevel=fatal --config /nowhere/c.yml", "/nowhere/c.yml", 78),
                ("tunnel --no-autoupdate run --token cvt_x", "--token: the token", 64),
                ("tunnel --url http://localhost:1/api", "remove \"/api\"", 64),
                ("http --url=http://localhost:1/api", "remove \"/api\"", 64),
                ("http 3000 --domain a.test", "There is no edge", 3),
                ("http 3000 --subdomain=a", "There is no edge", 3),
                ("http 3000 --url https://a.test", "There is no edge", 3),
                ("http --auth ann:short 3000", "--basic-auth", 64),
            ]
        )
        func translated(line: String, words: String, status: CInt) throws {
            let directory = try TemporaryDirectory()
            let said = try Home(directory).run(line.split(separator: " ").map(String.init))
            #expect(said.status == status, "\(said.errors)")
            #expect(said.errors.contains(words), "\(said.errors)")
        }

        @Test("a name that is somebody's word is a name, and other mistakes get no hint")
        func others() throws {
            let directory = try TemporaryDirectory()
            let home = try Home(directory)
            let version = try home.run(["version"])
            let same = try home.run(["--version"])
            #expect(version.status == 0 && version.output == same.output)
            let named = try home.run(["tunnel", "run", "login"])
            #expect(named.status == 4 && named.errors.contains("culvert tunnel create login"))
            let wrong = try home.run(["tunnel", "run", "--nonsense"])
            #expect(wrong.status == 64 && wrong.errors.contains("Usage: culvert tunnel run"))
        }
    }
}
