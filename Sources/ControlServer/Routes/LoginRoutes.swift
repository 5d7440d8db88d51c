internal import ControlAPI
internal import CulvertControl
internal import Foundation
internal import Hummingbird

/// How somebody gets a session token, and gets rid of it.
struct LoginRoutes {
    let desk: ControlDesk

    func add(to api: APIGroup) {
        api.post("login") { request, _ in
            let document = try await request.document(EnrolmentDocument.self)
            return try Response(await self.desk.enrol(document.code, label: document.label))
        }
        api.post("device/authorization") { request, context in
            let document = try await request.document(DeviceRequestDocument.self)
            return try await self.authorization(document, context)
        }
        api.post("device/token") { request, _ in
            let document = try await request.document(DeviceTokenRequestDocument.self)
            return try Response(await self.token(document))
        }
        api.post("device/approval") { request, context in
            let identity = try context.requireIdentity()
            let document = try await request.document(DeviceApprovalDocument.self)
            let isKnown = await self.desk.devices.decide(
                document.userCode,
                account: document.approve ? identity.account.id : nil,
                now: self.desk.now()
            )
            guard isKnown else { throw APIProblem.noDevice }
            return Response.done
        }
        api.get("sessions") { _, context in
            let identity = try context.requireIdentity()
            return try Response(await self.desk.sessions(of: identity.account.id, asking: identity))
        }
        api.delete("sessions/:session") { _, context in
            let identity = try context.requireIdentity()
            let name = try context.path("session")
            let id = name == "current" ? identity.token : TokenID(asked: name)
            guard let id else { throw APIProblem(.unknown, "there is no such session") }
            let policy = self.desk.policy
            try await self.desk.change(identity) { request, registry throws(ControlError) in
                try policy.revokeToken(id, request, registry)
            }
            return Response.done
        }
    }

    private func authorization(
        _ document: DeviceRequestDocument,
        _ context: ControlContext
    ) async throws -> Response {
        let label = try document.label.checkedLabel()
        let (deviceCode, userCode) = await self.desk.devices.begin(
            label: label,
            address: context.address,
            now: self.desk.now()
        )
        let page = "\(self.desk.settings.controlURL)/device"
        return try Response(
            DeviceAuthorizationDocument(
                deviceCode: deviceCode,
                userCode: userCode,
                verificationUri: page,
                verificationUriComplete: "\(page)?code=\(userCode)",
                expiresIn: Int(DeviceLogins.lifetimeSeconds),
                interval: Int(DeviceLogins.intervalSeconds)
            )
        )
    }

    private func token(_ document: DeviceTokenRequestDocument) async throws -> LoginDocument {
        switch await self.desk.devices.poll(document.deviceCode, now: self.desk.now()) {
        case .approved(let account, let label):
            return try await self.desk.login(as: account, label: label)
        case .pending:
            throw APIProblem(.authorizationPending, "nobody has let this device in yet")
        case .slowDown:
            throw APIProblem(
                .slowDown,
                "asked too soon: wait five seconds longer between two polls"
            )
        case .denied:
            throw APIProblem(.accessDenied, "somebody turned this device away")
        case .expired:
            throw APIProblem(.expiredToken, "the code is not good any more: begin again")
        }
    }
}

extension ControlDesk {
    /// Changes an enrolment code for a session token.
    ///
    /// - Throws: `unauthenticated` for a code that is not good, `invalid`.
    func enrol(_ code: String, label: String) async throws(APIProblem) -> LoginDocument {
        let label = try label.checkedLabel()
        let now = self.now()
        guard let code = TokenText(code.trimmed), code.purpose == .enrolment else {
            throw APIProblem(
                .unauthenticated,
                "this is no enrolment code: those begin with cve_, as `culvert edge invite` prints them"
            )
        }
        // One that was made on this machine a moment ago may not have been noticed yet.
        if await self.registry.token(code.id) == nil { try? await self.control.refresh() }
        let token = TokenText(new: .session)
        let policy = self.policy
        do {
            try await self.change { registry throws(ControlError) in
                try policy.enrol(
                    with: code,
                    for: { AccessToken(token, of: $0, label: label, now: now) },
                    now,
                    registry
                )
            }
        } catch  where error.code == APIProblem.Code.unknown.rawValue {
            throw APIProblem(.unauthenticated, error.detail)
        }
        return try await self.login(token)
    }

    /// Makes a session token for an account that has said so.
    ///
    /// - Throws: `unauthenticated` when the account is gone meanwhile.
    func login(as account: AccountID, label: String) async throws(APIProblem) -> LoginDocument {
        let token = TokenText(new: .session)
        let kept = AccessToken(token, of: account, label: label, now: self.now())
        let request = ControlPolicy.Request(
            .account(account),
            named: await self.registry.account(account)?.name,
            at: self.now()
        )
        let policy = self.policy
        do {
            try await self.change { registry throws(ControlError) in
                try policy.createSession(kept, request, registry)
            }
        } catch  where error.code == APIProblem.Code.unknown.rawValue {
            throw APIProblem(.unauthenticated, error.detail)
        }
        return try await self.login(token)
    }

    private func login(_ token: TokenText) async throws(APIProblem) -> LoginDocument {
        guard let identity = await self.identity(of: token.text) else {
            throw APIProblem(.unauthenticated, "the account was deleted meanwhile")
        }
        return LoginDocument(token: token.text, account: AccountDocument(identity.account))
    }
}

extension APIProblem {
    static let noDevice = APIProblem(
        .unknown,
        "no device waits with this code: look at what it shows, or begin again there"
    )
}

extension AccessToken {
    fileprivate init(_ token: TokenText, of account: AccountID, label: String, now: Date) {
        self.init(
            id: token.id,
            account: account,
            purpose: token.purpose,
            secretHash: token.secretHash,
            label: label,
            expiresAt: now + AccessToken.lifetimeSeconds,
            createdAt: now
        )
    }
}

extension String {
    /// - Throws: `invalid` for more than 255 bytes, or control characters.
    func checkedLabel() throws(APIProblem) -> String {
        guard self.utf8.count <= 255, self.unicodeScalars.allSatisfy({ $0.value >= 0x20 }) else {
            throw APIProblem(.invalid, "a label is a line of at most 255 bytes")
        }
        return self
    }

    var trimmed: String { self.trimmingCharacters(in: .whitespacesAndNewlines) }
}
