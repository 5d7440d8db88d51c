import ArgumentParser
import ConfigurationFile
import ControlAPI
import ControlClient

/// `culvert account`: one's own; an admin's commands for all.
struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Show your account; admins look after everybody's.",
        subcommands: [
            ShowCommand.self, ListCommand.self, CreateCommand.self, ChangeCommand.self,
            InviteCommand.self, InvitationsCommand.self, DeleteCommand.self, SessionsCommand.self,
        ],
        defaultSubcommand: ShowCommand.self
    )

    struct ShowCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show the account that you are logged in as."
        )

        @OptionGroup var output: OutputOption

        func run() async throws {
            let account = try await LoggedIn().withClient { try await $0.account() }
            try self.output.show(account) { AccountText.details(account, $0) }
        }
    }

    struct ListCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List all accounts; for admins."
        )

        @OptionGroup var output: OutputOption

        func run() async throws {
            let accounts = try await LoggedIn().withClient { try await $0.accounts() }
            try self.output.show(accounts) { AccountText.list(accounts.items, $0) }
        }
    }

    struct CreateCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Make an account, and a code to get into it; for admins.",
            discussion: """
                Hand the code, or the page, to whom the account is for: it is good once. \
                `culvert account invite` makes another.
                """
        )

        @Argument(help: "Its name: 1 to 64 letters, digits, and . _ - @.")
        var name: String

        @Flag(help: "It may do everything.")
        var admin = false

        @Option(help: "How many tunnels it may have; 10 when not given.")
        var tunnels: Int?

        @Option(help: "How many hostnames they may have together; 100 when not given.")
        var hostnames: Int?

        @Option(
            name: .customLong("suffix"),
            help:
                "It may have hostnames below this; may be given several times. Anything below the domain if not."
        )
        var suffixes: [String] = []

        @OptionGroup var output: OutputOption

        func run() async throws {
            let account = NewAccountDocument(
                name: self.name,
                role: self.admin ? "admin" : nil,
                maximumTunnels: self.tunnels,
                maximumHostnames: self.hostnames,
                suffixes: self.suffixes.isEmpty ? nil : self.suffixes
            )
            let invitation = try await LoggedIn().withClient {
                try await $0.createAccount(account)
            }
            try self.output.show(invitation) { AccountText.invitation(invitation, $0) }
        }
    }

    struct ChangeCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "change",
            abstract: "Change what an account may do; for admins.",
            discussion: """
                Hostnames that the account has outside of what it may have then are listed, and nothing is \
                changed; with --release-hostnames it loses them, and whoever serves them is out.
                """
        )

        @Argument(help: "The account's name.")
        var name: String

        @Flag(help: "It may do everything.")
        var admin = false

        @Flag(help: "It may do what is its own only.")
        var member = false

        @Option(help: "How many tunnels it may have.")
        var tunnels: Int?

        @Option(help: "How many hostnames they may have together.")
        var hostnames: Int?

        @Option(
            name: .customLong("suffix"),
            help: "It may have hostnames below these, and no others; may be given several times."
        )
        var suffixes: [String] = []

        @Flag(help: "Take from it the hostnames that it has outside of these.")
        var releaseHostnames = false

        @OptionGroup var output: OutputOption

        func validate() throws {
            guard !self.admin || !self.member else {
                throw ValidationError("An account is --admin or --member, not both.")
            }
            let changesCounts = self.tunnels != nil || self.hostnames != nil
            let changesRights = self.admin || self.member || !self.suffixes.isEmpty
            guard changesCounts || changesRights else {
                throw ValidationError(
                    "Say what to change: --admin, --member, --tunnels, --hostnames or --suffix."
                )
            }
            guard !self.releaseHostnames || changesRights else {
                throw ValidationError("--release-hostnames goes with --suffix or --member.")
            }
        }

        func run() async throws {
            let change = AccountChangeDocument(
                role: self.admin ? "admin" : self.member ? "member" : nil,
                maximumTunnels: self.tunnels,
                maximumHostnames: self.hostnames,
                suffixes: self.suffixes.isEmpty ? nil : self.suffixes,
                releaseHostnames: self.releaseHostnames ? true : nil
            )
            let account = try await LoggedIn().withClient {
                try await $0.changeAccount(self.name, change)
            }
            try self.output.show(account) { AccountText.details(account, $0) }
        }
    }

    struct InviteCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "invite",
            abstract: "Make another code to get into an account; for admins."
        )

        @Argument(help: "The account's name.")
        var name: String

        @OptionGroup var output: OutputOption

        func run() async throws {
            let invitation = try await LoggedIn().withClient { try await $0.invite(self.name) }
            try self.output.show(invitation) { AccountText.invitation(invitation, $0) }
        }
    }

    struct DeleteCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete",
            abstract: "Delete an account with its tunnels, hostnames and sessions; for admins.",
            discussion: """
                Its connectors are out at once, and its hostnames are anybody's. You are asked before, at a \
                terminal; elsewhere --force has to say it.
                """
        )

        @Flag(name: .shortAndLong, help: "Without asking.")
        var force = false

        @Argument(help: "The account's name.")
        var name: String

        func run() async throws {
            let session = try LoggedIn()
            if !self.force {
                try confirm("Delete the account \(printable(self.name)), and all that is its own?")
            }
            try await session.withClient { try await $0.deleteAccount(self.name) }
            note("Deleted the account \(printable(self.name)), and all that was its own.")
        }
    }
}

/// `culvert audit`.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show who did what at the edge, the latest first; for admins."
    )

    @Option(help: "How many entries to show.")
    var limit = 100

    @OptionGroup var output: OutputOption

    func validate() throws {
        guard (1...1_000_000).contains(self.limit) else {
            throw ValidationError("--limit is from 1 to 1000000.")
        }
    }

    func run() async throws {
        let entries = try await LoggedIn().withClient { try await $0.audit(limit: self.limit) }
        try self.output.show(entries) { AccountText.audit(entries.items, $0) }
    }
}
