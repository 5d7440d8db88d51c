import ConfigurationFile

/// Makes and removes records through a provider; running programs is left to the caller.
package struct RecordMaker: Sendable {
    /// What there is to say of records that are there now.
    package enum Outcome: Sendable, Equatable {
        case made
        /// They were there before.
        case present
        /// They were made, and what was there before is gone.
        case replaced
    }

    /// Why the records are not there.
    package enum Failure: Error, Sendable, Equatable {
        /// The name has other records, which were left alone.
        case different
        /// The name has records beside which no alias can be, and not of a kind that is replaced.
        case besideOthers
        /// A sentence for a person.
        case failed(String)
    }

    private let provider: DNSProvider
    private let run: @Sendable (ProgramCall) async -> ProgramEnd

    package init(
        _ provider: DNSProvider,
        run: @escaping @Sendable (ProgramCall) async -> ProgramEnd
    ) {
        self.provider = provider
        self.run = run
    }

    /// Makes the records, unless the name has others; with `replacing` in place of others. What the provider
    /// remarked comes back beside the outcome.
    ///
    /// - Throws: why they are not there.
    package func make(
        _ records: NameRecords,
        replacing: Bool
    ) async throws(Failure) -> (outcome: Outcome, remarks: String) {
        switch self.provider.method {
        case .hook(let words):
            let remarks = try await self.call(replacing ? .replace : .set, records, words)
            return (replacing ? .replaced : .made, remarks)
        case .nsupdate:
            if try await self.update(.check, records) { return (.present, "") }
            guard replacing else {
                guard try await self.update(.make, records) else { throw .different }
                return (.made, "")
            }
            guard try await self.update(.replace, records) else { throw .besideOthers }
            // An alias beside records of rare types is passed over in silence (RFC 2136 §3.4.2.2).
            guard try await self.update(.check, records) else { throw .besideOthers }
            return (.replaced, "")
        }
    }

    /// Removes the records, if they are what the name has.
    ///
    /// - Returns: whether they were; nil when a hook does not say.
    /// - Throws: `failed` with why it could not be done.
    package func remove(_ records: NameRecords) async throws(Failure) -> Bool? {
        switch self.provider.method {
        case .hook(let words):
            do {
                _ = try await self.call(.delete, records, words)
            } catch .different {
                return false
            }
            return nil
        case .nsupdate: return try await self.update(.remove, records)
        }
    }

    /// Whether the update's prerequisites held, and it was done.
    private func update(
        _ step: NsupdateScript.Step,
        _ records: NameRecords
    ) async throws(Failure) -> Bool {
        guard case .nsupdate(let server, let keyFile) = self.provider.method else { return false }
        let script = NsupdateScript(step, records, server: server, provider: self.provider)
        // Over TCP: a server that is not there is known at once, and no answer is another's.
        let call = ProgramCall(
            "nsupdate",
            ["-v"] + (keyFile.map { ["-k", $0] } ?? []),
            input: script.text,
            timeout: self.provider.timeout
        )
        let reply = NsupdateReply(
            await self.run(call),
            server: server,
            keyFile: keyFile,
            provider: self.provider
        )
        switch reply {
        case .done: return true
        case .unmet: return false
        case .failed(let words): throw .failed(words)
        }
    }

    private func call(
        _ action: HookCall.Action,
        _ records: NameRecords,
        _ words: [String]
    ) async throws(Failure) -> String {
        var remarks: [String] = []
        for call in HookCall.calls(action, records, words: words, provider: self.provider) {
            switch HookCall.reply(await self.run(call), of: call) {
            case .done(let said): if !said.isEmpty { remarks.append(said) }
            case .others: throw .different
            case .failed(let words): throw .failed(words)
            }
        }
        return remarks.joined(separator: "\n")
    }
}
