import ArgumentParser
import ConfigurationFile
import ControlAPI
import ControlClient

extension AccountCommand {
    /// `culvert account invitations`: the codes that nobody has used yet.
    struct InvitationsCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "invitations",
            abstract: "Show the invitations that are open, and withdraw them; for admins.",
            discussion: """
                Whoever has the code of one gets into its account, once, until it expires a day after it was \
                made. The codes themselves are nowhere: the edge keeps what proves them.
                """,
            subcommands: [ListCommand.self, WithdrawCommand.self],
            defaultSubcommand: ListCommand.self
        )

        struct ListCommand: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "list",
                abstract: "List the invitations that nobody has used yet."
            )

            @OptionGroup var output: OutputOption

            func run() async throws {
                let open = try await LoggedIn().withClient { try await $0.invitations() }
                try self.output.show(open, empty: "No invitation is open.") {
                    AccountText.invitations(open.items, $0)
                }
            }
        }

        struct WithdrawCommand: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "withdraw",
                abstract: "Withdraw invitations: their codes are good for nothing then.",
                discussion: """
                    Who has used one already is logged in: `culvert account sessions revoke --account NAME` \
                    ends that.
                    """
            )

            @Option(help: "All that are open into this account.")
            var account: String?

            @Argument(help: "An invitation's id, or its first 8 characters or more.")
            var ids: [String] = []

            func validate() throws {
                guard (self.account == nil) != self.ids.isEmpty else {
                    throw ValidationError("Say which invitations to withdraw, or --account NAME.")
                }
            }

            func run() async throws {
                try await LoggedIn().withClient { client in
                    let chosen = try self.chosen(of: try await client.invitations().items)
                    for invitation in chosen {
                        try await client.withdrawInvitation(invitation.id)
                        note(
                            "Withdrew the invitation \(printable(invitation.id)) into "
                                + "\(printable(invitation.account))."
                        )
                    }
                }
            }

            /// All of them are known before the first is withdrawn.
            private func chosen(
                of open: [OpenInvitationDocument]
            ) throws -> [OpenInvitationDocument] {
                if let account {
                    let found = open.filter { $0.account == account }
                    guard found.isEmpty else { return found }
                    throw Failure("No invitation into \(printable(account)) is open.", .notFound)
                }
                return try self.ids.map { id in
                    let found = open.filter { $0.isNamed(id) }
                    guard let invitation = found.first else {
                        throw Failure(
                            "No invitation \(printable(id)) is open: `culvert account invitations` lists them.",
                            .notFound
                        )
                    }
                    guard found.count == 1 else {
                        throw Failure(
                            "\(found.count) invitations begin with \(id): say more of it."
                        )
                    }
                    return invitation
                }
            }
        }
    }
}

extension OpenInvitationDocument {
    /// Whether a text is its id, or so much of its beginning that it is likely no other's.
    fileprivate func isNamed(_ text: String) -> Bool {
        self.id == text || (text.utf8.count >= 8 && self.id.hasPrefix(text.lowercased()))
    }
}
