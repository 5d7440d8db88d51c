import ArgumentParser
import ConfigurationFile
import ControlAPI
import ControlClient

extension AccountCommand {
    /// `culvert account sessions`: where the account is logged in.
    struct SessionsCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sessions",
            abstract: "Show where you are logged in, and end sessions there.",
            discussion: """
                Each `culvert login`, and each browser, is a session. One that is not used for 90 days \
                ends by itself, and each ends a year after its login. Admins see and end everybody's, \
                with --account.
                """,
            subcommands: [ListCommand.self, RevokeCommand.self],
            defaultSubcommand: ListCommand.self
        )

        struct ListCommand: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "list",
                abstract: "List your sessions; the one of this machine has a star."
            )

            @OptionGroup var whose: AccountOption
            @OptionGroup var output: OutputOption

            func run() async throws {
                let sessions = try await LoggedIn().withClient {
                    try await $0.sessions(of: self.whose.account)
                }
                try self.output.show(sessions, empty: "There is no session.") {
                    AccountText.sessions(sessions.items, $0)
                }
            }
        }

        struct RevokeCommand: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "revoke",
                abstract: "End sessions: who has them is logged out at once.",
                discussion: """
                    Connectors go on: they have keys of their own, which `culvert tunnel token --revoke` \
                    takes away. The session of this machine ends with `culvert logout`.
                    """
            )

            @Flag(help: "All but the one of this machine.")
            var others = false

            @OptionGroup var whose: AccountOption

            @Argument(help: "A session's id, or its first 8 characters or more.")
            var ids: [String] = []

            func validate() throws {
                guard self.others != !self.ids.isEmpty else {
                    throw ValidationError("Say which sessions to end, or --others.")
                }
            }

            func run() async throws {
                try await LoggedIn().withClient { client in
                    let sessions = try await client.sessions(of: self.whose.account).items
                    let chosen = try self.chosen(of: sessions)
                    for session in chosen {
                        try await client.endSession(session.id, of: self.whose.account)
                        note(
                            "Ended the session \(printable(session.id)) (\(printable(session.label)))."
                        )
                    }
                    if chosen.isEmpty { note("There is no other session.") }
                }
            }

            /// All of them are known before the first is ended.
            private func chosen(of sessions: [SessionDocument]) throws -> [SessionDocument] {
                guard !self.others else { return sessions.filter { !$0.isCurrent } }
                return try self.ids.map { id in
                    let found = sessions.filter { $0.isNamed(id) }
                    guard let session = found.first else {
                        throw Failure(
                            "There is no session \(printable(id)): `culvert account sessions"
                                + "\(self.whose.words)` lists them.",
                            .notFound
                        )
                    }
                    guard found.count == 1 else {
                        throw Failure("\(found.count) sessions begin with \(id): say more of it.")
                    }
                    return session
                }
            }
        }
    }
}

/// The option of commands that admins use for others' accounts, too.
struct AccountOption: ParsableArguments {
    @Option(help: "Of this account, instead of yours; for admins.")
    var account: String?

    /// As it is written on a command line, with a space before it.
    var words: String { self.account.map { " --account \(printable($0))" } ?? "" }
}

extension SessionDocument {
    /// Whether a text is its id, or so much of its beginning that it is likely no other's.
    fileprivate func isNamed(_ text: String) -> Bool {
        self.id == text || (text.utf8.count >= 8 && self.id.hasPrefix(text.lowercased()))
    }
}
