import Foundation
import HTTPSemantics
import Testing

@testable import CulvertControl

/// Enrolment codes and session tokens: how they are written, what they are good for.
@Suite struct TokenTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let policy = ControlPolicy(reserved: [])

    private func kept(
        _ token: TokenText,
        of account: Account,
        expiresAt: Date? = nil,
        usedAt: Date? = nil,
        createdAt: Date = now
    ) -> AccessToken {
        AccessToken(
            id: token.id,
            account: account.id,
            purpose: token.purpose,
            secretHash: token.secretHash,
            label: "laptop",
            expiresAt: expiresAt,
            usedAt: usedAt,
            createdAt: createdAt
        )
    }

    private func account(_ name: String = "ann") -> Account {
        Account(name: name, role: .member, createdAt: Self.now)
    }

    /// A store's next revision.
    private func write(_ records: [StoreRecord], _ registry: inout Registry) {
        let revision = StoreRevision(registry.revision.number + 1)
        let written = records.map { StoredRecord($0, at: revision) }
        registry.apply(StoreChanges(revision: revision, written: written, deleted: []))
    }

    private func commit(_ transaction: StoreTransaction, _ registry: inout Registry) {
        let revision = StoreRevision(registry.revision.number + 1)
        registry.apply(
            StoreChanges(
                revision: revision,
                written: transaction.writes.map { StoredRecord($0, at: revision) },
                deleted: transaction.deletions
            )
        )
    }

    @Test func aTokenIsReadAsItIsWritten() throws {
        for purpose in AccessToken.Purpose.allCases {
            let token = TokenText(new: purpose)
            #expect(token.text.utf8.count == 68)
            #expect(TokenText(token.text) == token)
            #expect("\(token)".contains(token.id.description))
            #expect(!"\(token)".contains(token.text.suffix(43)))
            var dumped = ""
            dump(token, to: &dumped)
            #expect(!dumped.contains("secret"))
        }
    }

    @Test(
        arguments: [
            "", "cvs_", "cvx_\(String(repeating: "A", count: 64))",
            "cvs_\(String(repeating: "A", count: 63))", "cvs_\(String(repeating: "A", count: 65))",
            "cvs_\(String(repeating: "+", count: 64))",
            "cvs_\(String(repeating: "A", count: 62))==",
            "cvs_\(String(repeating: "é", count: 32))",
        ]
    )
    func whatIsNoToken(text: String) { #expect(TokenText(text) == nil) }

    @Test func aTokenProvesItselfOnly() {
        let ann = self.account()
        let token = TokenText(new: .session)
        let other = TokenText(new: .session)
        let kept = self.kept(token, of: ann, expiresAt: Self.now + 1)
        #expect(token.proves(kept, at: Self.now))
        #expect(!token.proves(kept, at: Self.now + 1))
        #expect(!other.proves(kept, at: Self.now))
        // The right name with another secret, and the right secret for another purpose.
        let forged = TokenText(.session, id: token.id, secret: [UInt8](repeating: 7, count: 32))
        #expect(forged?.proves(kept, at: Self.now) == false)
        let code = AccessToken(
            id: token.id,
            account: ann.id,
            purpose: .enrolment,
            secretHash: token.secretHash,
            label: "",
            expiresAt: nil,
            createdAt: Self.now
        )
        #expect(!token.proves(code, at: Self.now))
    }

    @Test func aSessionEndsWhenItIsNotUsedAndInTheEndAnyway() {
        let ann = self.account()
        let session = TokenText(new: .session)
        let unused = self.kept(session, of: ann)
        let idle = Self.now + AccessToken.idleSeconds
        #expect(session.proves(unused, at: idle - 1) && !session.proves(unused, at: idle))
        let used = self.kept(session, of: ann, usedAt: Self.now + 1_000)
        #expect(session.proves(used, at: idle + 999) && !session.proves(used, at: idle + 1_000))
        let old = self.kept(session, of: ann, expiresAt: Self.now + 60, usedAt: Self.now)
        #expect(!session.proves(old, at: Self.now + 60))
        // A code is good until it says, used or not.
        let code = TokenText(new: .enrolment)
        #expect(code.proves(self.kept(code, of: ann), at: Self.now + 10 * AccessToken.idleSeconds))
    }

    @Test func aUseIsKeptOnceADay() throws {
        let ann = self.account()
        let session = TokenText(new: .session)
        var registry = Registry.empty
        self.write([.account(ann), .token(self.kept(session, of: ann))], &registry)
        let day = Self.now + AccessToken.useSeconds
        #expect(throws: ControlError.self) {
            try self.policy.noteUse(of: session.id, at: day - 1, registry)
        }
        let transaction = try self.policy.noteUse(of: session.id, at: day, registry)
        #expect(transaction.expectations == [.token(session.id): registry.revision])
        #expect(transaction.audit.action == "session.use")
        self.commit(transaction, &registry)
        let kept = try #require(registry.token(session.id))
        #expect(kept.usedAt == day && !kept.isUseNews(at: day + 1))
        #expect(kept.isUseNews(at: day + AccessToken.useSeconds))
        // One that has ended does not begin again.
        #expect(throws: ControlError.self) {
            try self.policy.noteUse(of: session.id, at: day + AccessToken.idleSeconds, registry)
        }
    }

    @Test func sessionsThatHaveEndedGoWithTheNextLogin() throws {
        let ann = self.account()
        let (old, other) = (TokenText(new: .session), TokenText(new: .session))
        var registry = Registry.empty
        let later = Self.now + AccessToken.idleSeconds
        self.write(
            [
                .account(ann), .token(self.kept(old, of: ann)),
                .token(self.kept(other, of: ann, usedAt: Self.now + 1)),
            ],
            &registry
        )
        let session = self.kept(TokenText(new: .session), of: ann, createdAt: later)
        let request = ControlPolicy.Request(.account(ann.id), at: later)
        self.commit(try self.policy.createSession(session, request, registry), &registry)
        #expect(Set(registry.tokens(of: ann.id).map(\.id)) == [other.id, session.id])
    }

    @Test func anEnrolmentCodeIsGoodOnce() throws {
        let ann = self.account()
        let code = TokenText(new: .enrolment)
        var registry = Registry.empty
        self.write(
            [.account(ann), .token(self.kept(code, of: ann, expiresAt: Self.now + 60))],
            &registry
        )
        func enrol(at now: Date) throws -> StoreTransaction {
            let session = TokenText(new: .session)
            return try self.policy.enrol(
                with: code,
                for: { _ in self.kept(session, of: ann) },
                now,
                registry
            )
        }
        #expect(throws: ControlError.self) { try enrol(at: Self.now + 60) }
        self.commit(try enrol(at: Self.now), &registry)
        #expect(registry.tokens(of: ann.id).map(\.purpose) == [.session])
        #expect(throws: ControlError.self) { try enrol(at: Self.now) }
    }

    @Test func twoWhoUseACodeAtOnceCannotBoth() throws {
        let ann = self.account()
        let code = TokenText(new: .enrolment)
        var registry = Registry.empty
        self.write([.account(ann), .token(self.kept(code, of: ann))], &registry)
        let transaction = try self.policy.enrol(
            with: code,
            for: { _ in self.kept(TokenText(new: .session), of: ann) },
            Self.now,
            registry
        )
        // The store makes nothing of it once the code is gone.
        #expect(transaction.expectations[.token(code.id)] == registry.revision)
        #expect(transaction.deletions == [.token(code.id)])
    }

    @Test func theOldestSessionsGo() throws {
        let ann = self.account()
        var registry = Registry.empty
        let tokens = (0..<ControlPolicy.maximumSessions).map { _ in TokenText(new: .session) }
        self.write(
            [.account(ann)]
                + tokens.enumerated().map { number, token in
                    .token(self.kept(token, of: ann, createdAt: Self.now + Double(number)))
                },
            &registry
        )
        let session = self.kept(TokenText(new: .session), of: ann, createdAt: Self.now + 1_000)
        let request = ControlPolicy.Request(.account(ann.id), at: Self.now)
        self.commit(try self.policy.createSession(session, request, registry), &registry)
        #expect(registry.tokens(of: ann.id).count == ControlPolicy.maximumSessions)
        #expect(registry.token(tokens[0].id) == nil)
        #expect(registry.token(tokens[1].id) != nil && registry.token(session.id) != nil)
    }

    @Test func onlyOnesOwnSessionsCanBeEnded() throws {
        let (ann, bob) = (self.account(), self.account("bob"))
        let token = TokenText(new: .session)
        var registry = Registry.empty
        self.write([.account(ann), .account(bob), .token(self.kept(token, of: ann))], &registry)
        #expect(throws: ControlError(.unknown, "there is no such session")) {
            try self.policy.revokeToken(
                token.id,
                ControlPolicy.Request(.account(bob.id), at: Self.now),
                registry
            )
        }
        let own = ControlPolicy.Request(.account(ann.id), at: Self.now)
        self.commit(try self.policy.revokeToken(token.id, own, registry), &registry)
        #expect(registry.token(token.id) == nil)
    }

    @Test func anAdminEndsTheSessionsOfTheAccountThatHeNames() throws {
        let (ann, bob) = (self.account(), self.account("bob"))
        let root = Account(name: "root", role: .admin, createdAt: Self.now)
        let token = TokenText(new: .session)
        var registry = Registry.empty
        self.write(
            [.account(ann), .account(bob), .account(root), .token(self.kept(token, of: ann))],
            &registry
        )
        let admin = ControlPolicy.Request(.account(root.id), named: "root", at: Self.now)
        #expect(throws: ControlError(.unknown, "there is no such session")) {
            try self.policy.revokeToken(token.id, of: bob.id, admin, registry)
        }
        let ended = try self.policy.revokeToken(token.id, of: ann.id, admin, registry)
        #expect(ended.audit.action == "session.delete" && ended.audit.subject == "ann")
        #expect(ended.audit.actorName == "root")
        self.commit(ended, &registry)
        #expect(registry.tokens(of: ann.id).isEmpty)
    }

    @Test func anInvitationIsWithdrawnByAdminsAlone() throws {
        let ann = self.account()
        let root = Account(name: "root", role: .admin, createdAt: Self.now)
        let (code, session) = (TokenText(new: .enrolment), TokenText(new: .session))
        var registry = Registry.empty
        self.write(
            [
                .account(ann), .account(root), .token(self.kept(code, of: ann)),
                .token(self.kept(session, of: ann)),
            ],
            &registry
        )
        #expect(registry.enrolmentCodes.map(\.id) == [code.id])
        let own = ControlPolicy.Request(.account(ann.id), at: Self.now)
        let admin = ControlPolicy.Request(.account(root.id), at: Self.now)
        #expect(throws: ControlError(.forbidden, "only an admin may do that")) {
            try self.policy.withdrawInvitation(code.id, own, registry)
        }
        // Neither is the other.
        #expect(throws: ControlError.self) {
            try self.policy.withdrawInvitation(session.id, admin, registry)
        }
        #expect(throws: ControlError.self) {
            try self.policy.revokeToken(code.id, own, registry)
        }
        let withdrawn = try self.policy.withdrawInvitation(code.id, admin, registry)
        #expect(withdrawn.audit.action == "invitation.withdraw")
        #expect(withdrawn.audit.subject == "ann")
        self.commit(withdrawn, &registry)
        #expect(registry.enrolmentCodes.isEmpty)
        #expect(registry.token(session.id) != nil)
        #expect(throws: ControlError.self) {
            try self.policy.enrol(
                with: code,
                for: { _ in self.kept(TokenText(new: .session), of: ann) },
                Self.now,
                registry
            )
        }
        #expect(throws: ControlError.self) {
            try self.policy.withdrawInvitation(code.id, admin, registry)
        }
    }
}
