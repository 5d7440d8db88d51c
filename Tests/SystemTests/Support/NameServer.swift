import Foundation

/// A real BIND on a port of loopback, run by whoever runs the tests: the primary of `example.org`, which
/// the key `culvert` may change.
struct NameServer {
    let port: Int
    let process: ManagedProcess
    /// The file of the key that it takes.
    let keyFile: String
    private let directory: TemporaryDirectory

    /// Starts it.
    ///
    /// - Parameters:
    ///   - records: Lines of the zone's file, beside those that every zone has.
    ///   - directory: Where its files are.
    /// - Throws: `TestFailure` when it does not come up.
    init(_ records: String, in directory: TemporaryDirectory) throws {
        self.directory = directory
        self.port = try freePort()
        self.keyFile = try Self.key("culvert", in: directory, file: "tsig.key")
        try directory.write(
            """
            $TTL 60
            @ SOA ns root 1 60 60 60 60
            @ NS ns
            ns A 127.0.0.1
            \(records)

            """,
            to: "example.org.zone"
        )
        let configuration = try directory.write(
            """
            include "\(self.keyFile)";
            options {
                directory "\(directory.path)";
                pid-file none;
                session-keyfile none;
                lock-file none;
                listen-on port \(self.port) { 127.0.0.1; };
                listen-on-v6 { none; };
                recursion no;
                dnssec-validation no;
                notify no;
            };
            controls {};
            zone "example.org" {
                type primary;
                file "example.org.zone";
                update-policy { grant culvert zonesub ANY; };
            };

            """,
            to: "named.conf"
        )
        // A copy: Debian's AppArmor profile of the one in its place lets it read its own folders only.
        let program = directory.file("named")
        try FileManager.default.copyItem(atPath: "/usr/sbin/named", toPath: program)
        self.process = try ManagedProcess(
            program,
            ["-g", "-c", configuration],
            in: directory
        )
        try self.process.line("running$")
    }

    /// Makes a key's file, its owner's only.
    static func key(
        _ name: String,
        in directory: TemporaryDirectory,
        file: String
    ) throws -> String {
        let made = try Finished("/usr/sbin/tsig-keygen", [name], in: directory)
        guard made.status == 0 else { throw TestFailure("tsig-keygen: \(made.errors)") }
        let path = try directory.write(made.output, to: file)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        return path
    }

    /// What it answers, a record a line: `300 CNAME localhost.`
    func records(_ name: String, _ type: String) throws -> [String] {
        let asked = try Finished(
            "/usr/bin/dig",
            [
                "@127.0.0.1", "-p", "\(self.port)", "+noall", "+answer", "+tcp", "+time=5",
                "+tries=1", name, type,
            ],
            in: self.directory
        )
        guard asked.status == 0 else { throw TestFailure("dig: \(asked.output)\(asked.errors)") }
        return asked.output.split(separator: "\n").map { line in
            let words = line.split { $0 == " " || $0 == "\t" }
            return ([words[1]] + words.dropFirst(3)).joined(separator: " ")
        }.sorted()
    }
}
