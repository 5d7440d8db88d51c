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

    /// Where the store is.
    ///
    /// - Throws: `Failure` when there is to be none.
    func file(_ configuration: EdgeConfiguration) throws -> String {
        guard let file = configuration.store else {
            throw Failure("\(self.config) says `store: off`: this edge keeps no accounts.")
        }
        return file
    }

    /// The store, made when it is missing, beside an edge that may be running.
    ///
    /// - Throws: `Failure`.
    func store(_ configuration: EdgeConfiguration) throws -> SQLiteStore {
        let file = try self.file(configuration)
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
            the code are good once, for a day. For an account that is there they are another way into it, and \
            nothing of it is changed. A member may have hostnames below its suffixes only; \
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

    @Option(help: "How many hostnames they may have together. Default: 100.")
    var hostnames: Int?

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
        try? await control.close()
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
        let known = await control.registry.account(named: self.name)
        if let known { try self.requirePlain(known) }
        do {
            guard let account = known else {
                let wanted = NewAccountDocument(
                    name: self.name,
                    role: self.admin ? "admin" : nil,
                    maximumTunnels: self.tunnels,
                    maximumHostnames: self.hostnames,
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
            let invitation = Invitation(to: account, now: request.now)
            try await control.change { registry throws(ControlError) in
                try policy.invite(invitation.kept, request, registry)
            }
            return invitation
        } catch {
            throw Failure("\(error)")
        }
    }

    /// An invitation lets somebody in, and changes nothing of an account that is there.
    ///
    /// - Throws: `Failure` when more is asked for.
    private func requirePlain(_ account: Account) throws {
        let asksForRights =
            self.admin || self.tunnels != nil || self.hostnames != nil || !self.suffixes.isEmpty
        guard asksForRights else {
            return note("\(account.name) is there already: this is another way into it.")
        }
        throw Failure(
            """
            There is an account \(account.name) (\(account.role.rawValue)) already, and an invitation does not \
            change it: an admin does, with `culvert account change \(account.name)`. Without options this makes \
            another way into it.
            """
        )
    }
}

/// `culvert edge backup`: a copy of the store, while the edge runs.
struct EdgeBackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the edge's store to a new file, while the edge runs.",
        discussion: """
            The copy is whole and of one moment, in one file. `culvert edge restore` goes back to it.
            """
    )

    @Argument(help: "The file to write; one that exists is not touched.")
    var file: String

    @OptionGroup var edge: EdgeStoreOption

    func run() async throws {
        let store = try self.edge.store(self.edge.configuration())
        do {
            try await store.backUp(to: self.file)
        } catch StoreError.full {
            throw Failure("No room is left on the disk of \(self.file): no copy was made.")
        } catch {
            throw Failure("\(error)")
        }
        try? await store.close()
        note("Wrote \(self.file).")
    }
}

/// `culvert edge restore`: a backup in the place of the store.
struct EdgeRestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Put a backup in the place of the edge's store, while the edge is stopped.",
        discussion: """
            The backup is read in full before anything is changed, and is not touched itself. What was there \
            is kept beside the store under another name; the new one has its owner and mode.

            Everything is then as it was at the time of the backup: logins and keys that were revoked since are \
            good again, and those that were made since are not.
            """
    )

    @Argument(help: "What `culvert edge backup` wrote.")
    var file: String

    @OptionGroup var edge: EdgeStoreOption

    func run() async throws {
        let store = try self.edge.file(self.edge.configuration())
        let restored: RestoredStore
        do {
            restored = try SQLiteStore.restore(self.file, over: store, at: Date())
        } catch {
            throw Failure("\(error)")
        }
        let changed = restored.changedAt.map { ", last changed \(LocalTime().minute($0))" } ?? ""
        note(
            "\(store) is \(self.file) now: accounts: \(restored.accounts), tunnels: "
                + "\(restored.tunnels)\(changed)."
        )
        if let kept = restored.keptAs { note("What was there is \(kept).") }
        note("Logins and keys that were revoked since the backup are good again. Start the edge.")
    }
}
