import HTTPSemantics
import Synchronization
import Testing

@testable import CulvertDNS

/// Programs that end as they are told to, in turn, and what was run.
private final class Script: Sendable {
    private let state: Mutex<(ends: [ProgramEnd], calls: [ProgramCall])>

    init(_ ends: [ProgramEnd]) { self.state = Mutex((ends, [])) }

    func run(_ call: ProgramCall) -> ProgramEnd {
        self.state.withLock { state in
            state.calls.append(call)
            return state.ends.isEmpty ? ProgramEnd(.timedOut) : state.ends.removeFirst()
        }
    }

    var calls: [ProgramCall] { self.state.withLock { $0.calls } }
}

@Suite struct RecordMakerTests {
    private static let done = ProgramEnd(.exited(0))
    private static let unmet = ProgramEnd(.exited(2), errors: "update failed: NXRRSET\n")

    private func records() throws -> NameRecords {
        NameRecords(
            name: try HostPattern("app.example.test"),
            value: .alias(of: try NormalizedHost("edge.test"))
        )
    }

    private func make(
        _ method: DNSProvider.Method,
        _ ends: [ProgramEnd],
        replacing: Bool = false
    ) async throws -> (Result<RecordMaker.Outcome, RecordMaker.Failure>, [ProgramCall]) {
        let script = Script(ends)
        let records = try self.records()
        let provider = DNSProvider(zone: try NormalizedHost("example.test"), method: method)
        let maker = RecordMaker(provider) { script.run($0) }
        do throws(RecordMaker.Failure) {
            let made = try await maker.make(records, replacing: replacing)
            return (.success(made.outcome), script.calls)
        } catch {
            return (.failure(error), script.calls)
        }
    }

    private func steps(_ calls: [ProgramCall]) throws -> [NsupdateScript.Step?] {
        let provider = DNSProvider(
            zone: try NormalizedHost("example.test"),
            method: .nsupdate(server: nil, keyFile: nil)
        )
        return try calls.map { call in
            let records = try self.records()
            return [NsupdateScript.Step.check, .make, .replace, .remove].first {
                NsupdateScript($0, records, server: nil, provider: provider).text == call.input
            }
        }
    }

    @Test func anUpdateLooksMakesAndLooksAgain() async throws {
        let method = DNSProvider.Method.nsupdate(server: nil, keyFile: nil)
        var (result, calls) = try await self.make(method, [Self.done])
        #expect(result == .success(.present))
        #expect(try self.steps(calls) == [.check])
        (result, calls) = try await self.make(method, [Self.unmet, Self.done])
        #expect(result == .success(.made))
        #expect(try self.steps(calls) == [.check, .make])
        #expect(calls.allSatisfy { $0.program == "nsupdate" && $0.arguments == ["-v"] })
        (result, _) = try await self.make(method, [Self.unmet, Self.unmet])
        #expect(result == .failure(.different))
        (result, calls) = try await self.make(
            method,
            [Self.unmet, Self.done, Self.done],
            replacing: true
        )
        #expect(result == .success(.replaced))
        #expect(try self.steps(calls) == [.check, .replace, .check])
        (result, calls) = try await self.make(method, [Self.unmet, Self.unmet], replacing: true)
        #expect(result == .failure(.besideOthers))
        #expect(try self.steps(calls) == [.check, .replace])
        // The alias was passed over: there are others beside which it cannot be.
        (result, _) = try await self.make(
            method,
            [Self.unmet, Self.done, Self.unmet],
            replacing: true
        )
        #expect(result == .failure(.besideOthers))
    }

    @Test func theKeyIsAnArgument() async throws {
        let method = DNSProvider.Method.nsupdate(server: nil, keyFile: "/a b/k")
        let (_, calls) = try await self.make(method, [Self.done])
        #expect(calls.map(\.arguments) == [["-v", "-k", "/a b/k"]])
    }

    @Test func aHookIsToldInArguments() async throws {
        let method = DNSProvider.Method.hook(["/h", "x y"])
        var (result, calls) = try await self.make(method, [Self.done])
        #expect(result == .success(.made))
        #expect(calls.map(\.program) == ["/h"])
        #expect(
            calls.first?.arguments
                == ["x y", "set", "app.example.test", "CNAME", "300", "edge.test"]
        )
        (result, _) = try await self.make(method, [ProgramEnd(.exited(3), errors: "no")])
        #expect(result == .failure(.different))
        (result, calls) = try await self.make(
            method,
            [ProgramEnd(.exited(1), errors: "no\u{7}\nmore")],
            replacing: true
        )
        #expect(calls.first?.arguments.dropFirst().first == "replace")
        #expect(
            result
                == .failure(
                    .failed("The hook /h failed with exit code 1, saying:\n  no\\u{7}\n  more")
                )
        )
        (result, _) = try await self.make(method, [ProgramEnd(.timedOut)])
        #expect(result == .failure(.failed("The hook /h did not end within 30s, and was ended.")))
    }

    @Test func onlyWhatIsOursIsRemoved() async throws {
        for (end, expected) in [(Self.done, true), (Self.unmet, false)] {
            let script = Script([end])
            let provider = DNSProvider(
                zone: try NormalizedHost("example.test"),
                method: .nsupdate(server: nil, keyFile: nil)
            )
            let maker = RecordMaker(provider) { script.run($0) }
            #expect(try await maker.remove(try self.records()) == expected)
            #expect(try self.steps(script.calls) == [.remove])
        }
    }
}

@Suite struct NameCheckTests {
    private func standing(_ name: String, _ zone: [String: Set<String>]) async throws -> String {
        let check = await NameCheck(of: try HostPattern(name), edge: "edge.test", label: "x7") {
            zone[$0] ?? []
        }
        return "\(check.standing.rawValue) \(check.addresses.joined(separator: ","))"
    }

    @Test func aNameLeadsToTheEdgeOrNot() async throws {
        let edge: Set<String> = ["192.0.2.1", "192.0.2.2"]
        #expect(
            try await self.standing("a.test", ["edge.test": edge, "a.test": ["192.0.2.2"]])
                == "edge 192.0.2.2"
        )
        #expect(
            try await self.standing("a.test", ["edge.test": edge, "a.test": ["192.0.2.2", "::1"]])
                == "elsewhere 192.0.2.2,::1"
        )
        #expect(try await self.standing("a.test", ["edge.test": edge]) == "nowhere ")
        #expect(try await self.standing("a.test", ["a.test": ["::1"]]) == "unknown ::1")
        #expect(
            try await self.standing("*.a.test", ["edge.test": edge, "x7.a.test": edge])
                == "edge 192.0.2.1,192.0.2.2"
        )
    }

    @Test func aWildcardRecordCoversAName() async throws {
        let asked = Mutex<[String]>([])
        func isCovered(_ name: String, _ zone: [String: Set<String>]) async throws -> Bool {
            await NameCheck.isCovered(try HostPattern(name), edge: "edge.test", label: "x7") {
                name in
                asked.withLock { $0.append(name) }
                return zone[name] ?? []
            }
        }
        let edge: Set<String> = ["192.0.2.1"]
        let zone = ["edge.test": edge, "x7.b.test": edge, "a.b.test": edge]
        #expect(try await isCovered("a.b.test", zone))
        #expect(try await isCovered("c.b.test", zone) == false)
        #expect(try await isCovered("*.b.test", zone) == false)
        // A name that is not there is not asked for: that would be remembered.
        asked.withLock { $0 = [] }
        #expect(try await isCovered("a.c.test", zone) == false)
        #expect(asked.withLock { !$0.contains("a.c.test") && $0.contains("x7.c.test") })
    }
}
