package import ControlAPI
import NIOHTTP1

// How a machine gets a session token, and gives it back.
extension ControlClient {
    /// Changes an enrolment code for a session token.
    package func logIn(
        _ enrolment: EnrolmentDocument
    ) async throws(ControlClientError) -> LoginDocument {
        try self.document(await self.send(.POST, ["login"], body: Self.json(enrolment)))
    }

    /// Ends the session of the token that asks.
    package func logOut() async throws(ControlClientError) {
        _ = try await self.send(.DELETE, ["sessions", "current"])
    }

    /// The sessions of the account that asks; with `account` of that one, for admins.
    package func sessions(
        of account: String? = nil
    ) async throws(ControlClientError) -> ListDocument<SessionDocument> {
        try self.document(await self.send(.GET, Self.sessions(of: account)))
    }

    /// Ends one of them.
    ///
    /// - Throws: a problem `unknown` when there is none with this id.
    package func endSession(
        _ id: String,
        of account: String? = nil
    ) async throws(ControlClientError) {
        _ = try await self.send(.DELETE, Self.sessions(of: account) + [id])
    }

    private static func sessions(of account: String?) -> [String] {
        (account.map { ["accounts", $0] } ?? []) + ["sessions"]
    }

    /// Lets a device in as the account that asks, by the code that the device shows.
    ///
    /// - Throws: a problem `unknown` when no device that waits shows it.
    package func approveDevice(_ userCode: String) async throws(ControlClientError) {
        let approval = DeviceApprovalDocument(userCode: userCode, approve: true)
        _ = try await self.send(.POST, ["device", "approval"], body: Self.json(approval))
    }

    /// Logs in as a person lets this device in, at a browser (RFC 8628).
    ///
    /// `show` is called once, with what to show the person; the edge is then asked until the person has
    /// decided or the code has expired. That it cannot be reached meanwhile ends nothing.
    ///
    /// - Throws: `ControlClientError`, `DeviceLoginExpired`, `CancellationError`.
    package func logIn(
        asDevice label: String,
        show: (DeviceAuthorizationDocument) -> Void
    ) async throws -> LoginDocument {
        let request = DeviceRequestDocument(label: label)
        let authorization: DeviceAuthorizationDocument = try self.document(
            await self.send(.POST, ["device", "authorization"], body: Self.json(request))
        )
        show(authorization)
        var machine = DevicePollMachine(authorization)
        let clock = ContinuousClock()
        let start = clock.now
        var step = machine.begin()
        while case .wait(let pause) = step {
            try await clock.sleep(for: pause)
            do {
                return try await self.poll(authorization)
            } catch {
                guard let outcome = DevicePollMachine.Outcome(error) else { throw error }
                step = machine.next(after: outcome, at: start.duration(to: clock.now))
            }
        }
        throw DeviceLoginExpired()
    }

    private func poll(
        _ authorization: DeviceAuthorizationDocument
    ) async throws(ControlClientError) -> LoginDocument {
        let request = DeviceTokenRequestDocument(deviceCode: authorization.deviceCode)
        return try self.document(
            await self.send(.POST, ["device", "token"], body: Self.json(request))
        )
    }
}

extension DevicePollMachine.Outcome {
    /// What a failed poll means for the next one; nil when there is to be none.
    fileprivate init?(_ error: ControlClientError) {
        if error.isProblem(.authorizationPending) {
            self = .pending
        } else if error.isProblem(.slowDown) || error.isProblem(.rateLimited) {
            self = .tooOften
        } else if case .unreachable = error {
            self = .unanswered
        } else if error.isProblem(.unavailable) {
            self = .unanswered
        } else {
            return nil
        }
    }
}
