import Foundation
import Glibc

/// A real sshd on a port of loopback, for the user who runs the tests, with keys of its own.
struct SSHServer {
    let port: Int
    let process: ManagedProcess
    private let directory: TemporaryDirectory

    /// Starts it.
    ///
    /// - Throws: `TestFailure` when it does not come up.
    init(in directory: TemporaryDirectory) throws {
        self.directory = directory
        for name in ["host_key", "user_key"] {
            let made = try Finished(
                "ssh-keygen",
                ["-q", "-t", "ed25519", "-N", "", "-f", directory.file(name)],
                in: directory
            )
            guard made.status == 0 else { throw TestFailure("ssh-keygen: \(made.errors)") }
        }
        self.port = try freePort()
        let configuration = try directory.write(
            """
            ListenAddress 127.0.0.1:\(self.port)
            HostKey \(directory.file("host_key"))
            AuthorizedKeysFile \(directory.file("user_key.pub"))
            PidFile none
            UsePAM no
            StrictModes no
            Subsystem sftp internal-sftp

            """,
            to: "sshd_config"
        )
        // Root's sshd wants Debian's directory, which only its service makes.
        if geteuid() == 0 {
            try FileManager.default.createDirectory(
                atPath: "/run/sshd",
                withIntermediateDirectories: true
            )
        }
        self.process = try ManagedProcess(
            "/usr/sbin/sshd",
            ["-D", "-e", "-f", configuration],
            in: directory
        )
        try self.process.line("Server listening")
    }

    /// ssh's or scp's options to reach it as a hostname of the edge.
    func options(through deployment: Deployment) -> [String] {
        let proxy =
            "\(Programs.culvert) access ssh --hostname %h:\(deployment.port)"
            + " --ca-file \(deployment.certificates.authority)"
            + " --edge-address \(deployment.address):\(deployment.port)"
        return [
            "-F", "none", "-i", self.directory.file("user_key"), "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "ProxyCommand=\(proxy)",
        ]
    }

    /// Who logs in, and where.
    static var destination: String { "\(NSUserName())@ssh.sub.example.test" }
}
