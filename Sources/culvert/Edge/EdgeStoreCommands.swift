import ArgumentParser
import ConfigurationFile
import ControlAPI
import ControlClient
import ControlServer
import CulvertControl
import CulvertEdge
import Foundation
import HTTPSemantics

/// The edge's configuration file, and the store that it names.
struct EdgeStoreOption: ParsableArguments {
    @Option(help: "The edge's configuration file.")
    var config = "edge.yml"

    /// - Throws: `Failure` with every problem of the file.
    func configuration() throws -> EdgeConfiguration {
        do {
            return try EdgeConfiguration.load(file: self.config)
        } catch {
            throw Failure("\(error)", .badFile)
        }
    }

    /// The store, made when it is missing, beside an edge that may be running.
    ///
    /// - Throws: `Failure`.
    func store(_ configuration: EdgeConfiguration) throws -> SQLiteStore {
        guard let file = configuration.store else {
            throw Failure("\(self.config) says `store: off`: this edge keeps no accounts.")
        }
        do {
            return try SQLiteStore(file: file)
        } catch {
            throw Failure("\(error)")
        }
    }
}

/// `culvert edge invite`: a code that lets somebody into an account.
struct EdgeInviteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invite",
        abstract: "Make an account, or another way into one, and print the link to send.",
        discussion: """
            Run it on the edge's machine, as the user the edge runs as; the edge may be running. The link and \
            the code are good once, for a day. A member may have hostnames below its suffixes only; \
            without --suffix, anything below the domain.

            Examples:
              culvert edge invite ann --admin
              culvert edge invite bob --suffix bob.example.com --tunnels 3
            """
    )

    @Argument(help: "The account's name: letters, digits, and . _ - @")
    var name: String

    @Flag(help: "The account may do everything, to what others have, too.")
    var admin = false

    @Option(help: "How many tunnels a new account may have. Default: 10.")
    var tunnels: Int?

    @Option(
        name: .customLong("suffix"),
        help: "A hostname that a new account may have, and all below it."
    )
    var suffixes: [String] = []

    @OptionGroup var output: OutputOption

    @OptionGroup var edge: EdgeStoreOption

    func run() async throws {
        let configuration = try self.edge.configuration()
        guard let host = configuration.control else {
            throw Failure(
                "\(self.edge.config) says `control: off` (or names no domain): there is nowhere to log in."
            )
        }
        let port = configuration.listen.https.port
        let settings = ControlSettings(
            agent: "culvert/\(buildVersion)",
            connect: configuration.connect,
            control: host,
            domain: configuration.domain,
            declared: { configuration.tunnels.flatMap(\.hostnames).map(\.pattern) },
            port: { port == 0 ? 443 : port }
        )
        let control: Control
        do {
            control = try await Control(store: self.edge.store(configuration))
        } catch let error as StoreError {
            throw Failure("\(error)")
        }
        let document = try await self.invite(control, settings).document(settings)
        guard self.output.output == .text else { return try self.output.show(document) { _ in "" } }
        let until = LocalTime().minute(document.expiresAt)
        note(
            "\(document.account.name) (\(document.account.role)) is invited. Good once, until \(until):"
        )
        note("  in a browser, open the link below")
        note("  or in a terminal: culvert login \(settings.url(of: host.name)) --token CODE")
        note("  CODE: \(document.code)")
        print(document.url)
    }

    private func invite(_ control: Control, _ settings: ControlSettings) async throws -> Invitation
    {
        let policy = settings.policy
        let request = ControlPolicy.Request(.operator, at: Date())
        do {
            guard let account = await control.registry.account(named: self.name) else {
                let wanted = NewAccountDocument(
                    name: self.name,
                    role: self.admin ? "admin" : nil,
                    maximumTunnels: self.tunnels,
                    suffixes: self.suffixes.isEmpty ? nil : self.suffixes
                )
                let invitation = try Invitation(wanted, settings, now: request.now)
                try await control.change { registry throws(ControlError) in
                    try policy.createAccount(
                        invitation.account,
                        enrolment: invitation.kept,
                        request,
                        registry
                    )
                }
                return invitation
            }
            try await self.change(account, control, policy, request)
            let current = await control.registry.account(account.id) ?? account
            let invitation = Invitation(to: current, now: request.now)
            try await control.change { registry throws(ControlError) in
                try policy.invite(invitation.kept, request, registry)
            }
            return invitation
        } catch {
            throw Failure("\(error)")
        }
    }

    /// What is said of an account that is there already is changed.
    private func change(
        _ account: Account,
        _ control: Control,
        _ policy: ControlPolicy,
        _ request: ControlPolicy.Request
    ) async throws {
        guard self.admin || self.tunnels != nil || !self.suffixes.isEmpty else { return }
        let suffixes = try self.suffixes.map { try NormalizedHost($0) }
        let role: Account.Role? = self.admin ? .admin : nil
        let tunnels = self.tunnels
        try await control.change { registry throws(ControlError) in
            try policy.changeAccount(
                account.id,
                role: role,
                maximumTunnels: tunnels,
                suffixes: suffixes.isEmpty ? nil : suffixes,
                request,
                registry
            )
        }
    }
}

/// `culvert edge backup`: a copy of the store, while the edge runs.
struct EdgeBackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the edge's store to a new file, while the edge runs.",
        discussion: """
            The copy is whole and of one moment. To go back to it, stop the edge, put the copy in the \
            store's place (remove FILE-wal and FILE-shm beside it), and start the edge.
            """
    )

    @Argument(help: "The file to write; one that exists is not touched.")
    var file: String

    @OptionGroup var edge: EdgeStoreOption

    func run() async throws {
        let store = try self.edge.store(self.edge.configuration())
        do {
            try await store.backUp(to: self.file)
        } catch {
            throw Failure("\(error)")
        }
        note("Wrote \(self.file).")
    }
}
