import ArgumentParser
import ConfigurationFile
import ControlAPI
import ControlClient
import CulvertConnector
import Foundation

/// `culvert tunnel token`.
struct TunnelTokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make a key for another connector of a tunnel, as one string.",
        discussion: """
            Prints all that a connector needs, alone on a line: whoever has it can serve the tunnel. \
            Give it to `culvert tunnel run` in $CULVERT_TOKEN or with --token-file. \
            `culvert tunnel info NAME` lists the keys; --revoke takes one away and ends the sessions \
            that use it.

            Examples:
              culvert tunnel token demo > token.txt
              culvert tunnel token demo --hostname app.example.com --expires 30d
              culvert tunnel token demo --scope app.example.com/30d
              culvert tunnel token demo --revoke mB3xJb0k
            """
    )

    @OptionGroup var tunnel: TunnelArgument

    @Option(
        name: .customLong("hostname"),
        help: "Serve only this hostname of the tunnel; may be given several times."
    )
    var hostnames: [String] = []

    @Option(
        name: [.customLong("expires"), .customLong("expiry")],
        help: "When the key ends: 30d, 12h, 2w. Never, when not given."
    )
    var expires: Lifetime?

    @Option(
        name: .customLong("scope"),
        help: ArgumentHelp(
            "Both in one; either may be left out, and the whole may be given several times.",
            valueName: "hostname/expiry"
        )
    )
    var scopes: [TokenScope] = []

    @Option(help: "What the key is for. This machine's name and the day, when not given.")
    var label: String?

    @Option(
        name: [.customLong("cred-file"), .customLong("credentials-file")],
        help: "Write a credentials file, with mode 0600, instead of printing a token."
    )
    var credentialsFile: String?

    @Option(
        parsing: .unconditional,
        help: "Take away this key instead, or what its first 8 characters or more name."
    )
    var revoke: String?

    @OptionGroup var output: OutputOption

    func validate() throws {
        let isMaking =
            !self.hostnames.isEmpty || self.expires != nil || !self.scopes.isEmpty
            || self.label != nil || self.credentialsFile != nil
        guard self.revoke == nil || !isMaking else {
            throw ValidationError("--revoke takes a key away, and goes with no other option.")
        }
        guard self.lifetimes.count <= 1 else {
            throw ValidationError(
                "A key ends once: say when with one --expires, or in one --scope."
            )
        }
    }

    /// The hostnames that it is for, of all options; empty for all of the tunnel's.
    private var scopedHostnames: [String] { self.hostnames + self.scopes.compactMap(\.hostname) }

    private var lifetimes: [Lifetime] {
        (self.expires.map { [$0] } ?? []) + self.scopes.compactMap(\.lifetime)
    }

    func run() async throws {
        let session = try LoggedIn()
        try await session.withClient { client in
            if let revoke {
                try await self.take(revoke, client)
            } else {
                try await self.make(session, client)
            }
        }
    }

    private func make(_ session: LoggedIn, _ client: ControlClient) async throws {
        let edge = try await client.edge()
        let tunnel = try await client.tunnel(self.tunnel.name)
        var credentials = try session.newCredentials(for: tunnel.name, at: edge)
        credentials.tunnelID = tunnel.id
        let key = NewKeyDocument(
            publicKey: credentials.publicKey.base64EncodedString(),
            label: self.label ?? "token of \(machineName()), \(LocalTime().day(Date()))",
            hostnames: self.scopedHostnames.isEmpty ? nil : self.scopedHostnames,
            expiresAt: self.lifetimes.first.map { Date(timeIntervalSinceNow: $0.seconds) }
        )
        if let credentialsFile {
            // Before the edge knows the key: one that cannot be kept is not to stay there.
            do { try credentials.write(to: credentialsFile) } catch { throw Failure("\(error)") }
            let added: KeyDocument
            do {
                added = try await client.addKey(key, to: tunnel.id)
            } catch {
                try? PrivateFile.remove(credentialsFile)
                throw error
            }
            note("Wrote \(credentialsFile). It lets its holder serve the tunnel: keep it secret.")
            if self.output.output == .json { try self.output.show(added) { _ in "" } }
            return
        }
        let added = try await client.addKey(key, to: tunnel.id)
        guard
            let token = TunnelToken(
                credentials,
                hostnames: added.hostnames,
                expiresAt: added.expiresAt
            )
        else { throw Failure("The edge does not say where connectors dial.") }
        try self.output.show(MadeToken(token: token.text, key: added)) { _ in token.text }
    }

    private func take(_ text: String, _ client: ControlClient) async throws {
        let tunnel = try await client.tunnel(self.tunnel.name)
        let keys = tunnel.keys.filter { $0.isNamed(text) }
        guard let key = keys.first else {
            throw Failure(
                "Tunnel \(printable(tunnel.name)) has no key \(printable(text)): `culvert tunnel info "
                    + "\(printable(tunnel.name))` lists those it has.",
                .notFound
            )
        }
        guard keys.count == 1 else {
            throw Failure("\(keys.count) keys begin with \(text): say more of it.")
        }
        try await client.deleteKey(key, of: tunnel.id)
        note("Took away the key \(key.name) (\(printable(key.label))).")
        if self.output.output == .json { try self.output.show(key) { _ in "" } }
    }
}

/// A token and the key in it, for programs.
private struct MadeToken: Encodable {
    /// A secret.
    var token: String
    var key: KeyDocument
}

/// What a token is for, as one word: `app.example.com`, `app.example.com/30d` or `/30d`.
struct TokenScope: ExpressibleByArgument {
    let hostname: String?
    let lifetime: Lifetime?

    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { return nil }
        self.hostname = parts[0].isEmpty ? nil : String(parts[0])
        guard parts.count == 2 else {
            self.lifetime = nil
            if self.hostname == nil { return nil }
            return
        }
        guard let lifetime = Lifetime(argument: String(parts[1])) else { return nil }
        self.lifetime = lifetime
    }
}

/// How long something is good: `30d`, `2w`, or as durations are written elsewhere, `12h`.
struct Lifetime: ExpressibleByArgument {
    let seconds: Double

    init?(argument: String) {
        let days = argument.hasSuffix("d") ? 1 : argument.hasSuffix("w") ? 7 : nil
        if let days {
            guard let count = Int(argument.dropLast()), (1...36_500).contains(count) else {
                return nil
            }
            self.seconds = Double(count * days) * 86_400
        } else {
            guard argument.last?.isLetter == true, let duration = Duration(written: argument),
                duration >= .seconds(1)
            else { return nil }
            self.seconds = duration / .seconds(1)
        }
    }
}
