import ArgumentParser
import ConfigurationFile
import CulvertAccess
import Foundation
import Logging
import NIOPosix

/// `culvert access`: the visitor's side of TCP services.
struct AccessCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access",
        abstract: "Reach a TCP service (SSH, RDP, SMB, a database) behind a tunnel.",
        subcommands: [AccessTCPCommand.self, AccessSSHConfigCommand.self]
    )
}

/// How the edge is reached.
struct AccessOptions: ParsableArguments {
    @Option(
        name: .customLong("ca-file"),
        help: "CA certificates (PEM) to trust for the edge beside the system's."
    )
    var caFile: String?

    @Option(
        name: .customLong("edge-address"),
        help: "Dial HOST:PORT instead of the hostname's own address."
    )
    var edgeAddress: String?

    func target(_ hostname: String) throws -> AccessTarget {
        do {
            var target = try AccessTarget(hostname: hostname)
            target.caFile = self.caFile
            target.edgeAddress = try self.edgeAddress.map { try dialAddress($0) }
            return target
        } catch let error as AccessError {
            throw Failure("\(error)", .usage)
        }
    }
}

/// `culvert access tcp`, and the same by the names of what is carried.
struct AccessTCPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tcp",
        abstract: "Carry connections to a TCP service behind a tunnel.",
        discussion: """
            With --url it listens there and carries each connection; without, it carries standard \
            input and output, which is what SSH's ProxyCommand wants.

            Examples:
              culvert access tcp --hostname db.example.com --url 127.0.0.1:5432
              ssh -o ProxyCommand='culvert access ssh --hostname %h' me@ssh.example.com
              culvert access tcp --hostname bastion.example.com --destination 10.0.0.5:22

            The connector's own link may be cut: the session goes on. A cut of the link between this \
            machine and the edge ends it.

            Where a service wants a name and a password, CULVERT_BASIC_AUTH=NAME:PASSWORD gives them, too, \
            and does not show among the processes.
            """,
        aliases: ["ssh", "rdp", "smb"]
    )

    @Option(
        help:
            "The service's hostname at the edge, as https://NAME:PASSWORD@HOST where it wants those."
    )
    var hostname: String

    @Option(help: "Where to listen, such as 127.0.0.1:2222; port 0 takes a free one.")
    var url: String?

    @Option(help: "Where a bastion is to connect to: HOST:PORT.")
    var destination: String?

    @Option(name: .customLong("header"), help: "A further field of the request: 'Name: value'.")
    var headers: [String] = []

    @OptionGroup var access: AccessOptions

    @Option(
        name: .customLong("log-level"),
        help: "trace, debug, info, notice, warning or error."
    )
    var level: Logger.Level = .warning

    func run() async throws {
        // A reader that has gone is told by the write, not by a signal.
        signal(SIGPIPE, SIG_IGN)
        LoggingSystem.bootstrap { [level] label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        do {
            let logger = Logger(label: "culvert")
            let dialer = try AccessDialer(try self.target(), logger: logger)
            if let url {
                try await self.listen(try Self.listenAddress(url), dialer, logger)
            } else {
                let loop = MultiThreadedEventLoopGroup.singleton.next()
                try await StandardStreams.carry(to: dialer, on: loop)
            }
        } catch let error as AccessError {
            throw Failure("\(error)")
        }
    }

    private func target() throws -> AccessTarget {
        var target = try self.access.target(self.hostname)
        let login = ProcessInfo.processInfo.environment["CULVERT_BASIC_AUTH"]
        if let login, target.fields.isEmpty {
            guard login.contains(":") else {
                throw Failure("CULVERT_BASIC_AUTH: expected NAME:PASSWORD", .usage)
            }
            target.setLogin(login)
        }
        do {
            for header in self.headers { try target.addField(header) }
        } catch {
            throw Failure("\(error)", .usage)
        }
        if let destination {
            guard let address = try? HostPort(destination), !address.host.isEmpty,
                address.port != 0
            else { throw Failure("--destination \(destination): expected HOST:PORT", .usage) }
            target.destination = address.description
        }
        return target
    }

    /// `HOST:PORT`, with a scheme as cloudflared takes it.
    private static func listenAddress(_ text: String) throws -> HostPort {
        let rest = text.firstRange(of: "://").map { text[$0.upperBound...] } ?? Substring(text)
        do {
            let address = try HostPort(String(rest))
            return HostPort(
                host: address.host.isEmpty ? "0.0.0.0" : address.host,
                port: address.port
            )
        } catch {
            throw Failure("--url \(text): \(error.message)", .usage)
        }
    }

    private func listen(
        _ address: HostPort,
        _ dialer: AccessDialer,
        _ logger: Logger
    ) async throws {
        let listener = try await AccessListener(
            on: address,
            to: dialer,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: logger
        )
        note("Listening on \(listener.address), for \(self.hostname); Ctrl-C ends it")
        await listener.wait()
    }
}

/// `culvert access ssh-config`.
struct AccessSSHConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ssh-config",
        abstract: "Print what belongs into ~/.ssh/config to reach a hostname with plain ssh."
    )

    @Option(
        help:
            "The service's hostname at the edge, or *.NAME for all below one; without it, a name to replace."
    )
    var hostname: String?

    @OptionGroup var access: AccessOptions

    func run() throws {
        let hostname = self.hostname ?? "ssh.example.com"
        // ssh's own pattern; %h is the name that was asked for.
        let isPattern = hostname.hasPrefix("*.")
        let target = try self.access.target(isPattern ? "any" + hostname.dropFirst() : hostname)
        guard target.fields.isEmpty else {
            let words = "a name and a password do not belong there; set CULVERT_BASIC_AUTH for ssh"
            throw Failure("--hostname: \(words)", .usage)
        }
        let host = isPattern ? "*" + target.hostname.dropFirst("any".count) : target.hostname
        let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var command = "\(Self.quoted(program ?? "culvert")) access ssh --hostname %h"
        // `%h` is the name alone.
        if target.port != 443 { command += ":\(target.port)" }
        if let file = self.access.caFile {
            command += " --ca-file \(Self.quoted(URL(filePath: file).path))"
        }
        if let address = target.edgeAddress { command += " --edge-address \(address)" }
        print("Host \(host)")
        print("    ProxyCommand \(command)")
    }

    /// For the shell that runs a ProxyCommand; ssh reads `%` itself.
    private static func quoted(_ path: String) -> String {
        let path = path.replacingOccurrences(of: "%", with: "%%")
        let isPlain = path.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                || "/._-+%".utf8.contains($0)
        }
        return isPlain ? path : "'\(path.replacingOccurrences(of: "'", with: "'\\''"))'"
    }
}
