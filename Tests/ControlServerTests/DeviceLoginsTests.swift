import CulvertControl
import Foundation
import Testing

@testable import ControlServer

/// Devices that wait to be let in, in virtual time.
@Suite struct DeviceLoginsTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let ann = AccountID()

    private func waiting(_ hash: [UInt8] = [1], code: String = "BCDFGHJK") -> DeviceLogins {
        var logins = DeviceLogins()
        let isNew = logins.begin(
            hash: hash,
            userCode: code,
            label: "laptop",
            address: "192.0.2.1",
            now: Self.now
        )
        #expect(isNew)
        return logins
    }

    @Test func whoIsLetInGetsASessionOnce() {
        var logins = self.waiting()
        #expect(logins.poll(hash: [1], now: Self.now) == .pending)
        #expect(logins.device(userCode: "BCDFGHJK", now: Self.now)?.label == "laptop")
        let decided1 = logins.decide(userCode: "BCDFGHJK", account: self.ann, now: Self.now)
        #expect(decided1)
        // Nobody else can decide again.
        let decided2 = logins.decide(userCode: "BCDFGHJK", account: AccountID(), now: Self.now)
        #expect(!decided2)
        #expect(logins.poll(hash: [1], now: Self.now + 5) == .approved(self.ann, label: "laptop"))
        #expect(logins.poll(hash: [1], now: Self.now + 10) == .expired)
        #expect(logins.count == 0)
    }

    @Test func whoIsTurnedAwayHearsIt() {
        var logins = self.waiting()
        let decided3 = logins.decide(userCode: "BCDFGHJK", account: nil, now: Self.now)
        #expect(decided3)
        #expect(logins.poll(hash: [1], now: Self.now) == .denied)
        #expect(logins.poll(hash: [1], now: Self.now) == .expired)
    }

    @Test func whoAsksTooOftenIsSlowedDown() {
        var logins = self.waiting()
        #expect(logins.poll(hash: [1], now: Self.now) == .pending)
        #expect(logins.poll(hash: [1], now: Self.now + 3) == .slowDown)
        // Ten seconds from now on, less the one of grace.
        #expect(logins.poll(hash: [1], now: Self.now + 3 + 8) == .slowDown)
        #expect(logins.poll(hash: [1], now: Self.now + 11 + 14) == .pending)
        // An answer does not wait.
        let decided4 = logins.decide(userCode: "BCDFGHJK", account: self.ann, now: Self.now + 26)
        #expect(decided4)
        #expect(logins.poll(hash: [1], now: Self.now + 26) == .approved(self.ann, label: "laptop"))
    }

    @Test func codesExpire() {
        var logins = self.waiting()
        let end = Self.now + DeviceLogins.lifetimeSeconds
        #expect(logins.device(userCode: "BCDFGHJK", now: end) == nil)
        let decided5 = logins.decide(userCode: "BCDFGHJK", account: self.ann, now: end)
        #expect(!decided5)
        #expect(logins.poll(hash: [1], now: end) == .expired)
        #expect(logins.count == 0)
    }

    @Test func aCodeThatIsTakenIsNotGivenAgain() {
        var logins = self.waiting()
        for (hash, code) in [([2], "BCDFGHJK"), ([1], "ZZZZZZZZ")] as [([UInt8], String)] {
            let isNew = logins.begin(
                hash: hash,
                userCode: code,
                label: "",
                address: "",
                now: Self.now
            )
            #expect(!isNew)
        }
        #expect(logins.count == 1)
    }

    @Test func theOldestIsForgottenAtTheLimit() {
        var logins = DeviceLogins()
        for number in 0...DeviceLogins.maximumDevices {
            _ = logins.begin(
                hash: [UInt8(number & 255), UInt8(number >> 8)],
                userCode: "code-\(number)",
                label: "",
                address: "",
                now: Self.now + Double(number) / 1_000
            )
            #expect(logins.count <= DeviceLogins.maximumDevices)
        }
        #expect(logins.device(userCode: "code-0", now: Self.now + 1) == nil)
        #expect(logins.device(userCode: "code-1", now: Self.now + 1) != nil)
    }

    @Test(
        arguments: [
            ("WDJB-MJHT", "WDJBMJHT"), ("wdjb mjht", "WDJBMJHT"), ("w.d.j.b.m.j.h.t", "WDJBMJHT"),
            ("", ""), ("0123", ""), (String(repeating: "B", count: 99), "BBBBBBBBBBBBBBBB"),
        ]
    )
    func codesAreReadAsPeopleTypeThem(typed: String, canonical: String) {
        #expect(UserCode.canonical(typed) == canonical)
    }

    @Test func codesAreNotGuessed() {
        let codes = Set((0..<1_000).map { _ in UserCode.make() })
        #expect(codes.count == 1_000)
        #expect(codes.allSatisfy { UserCode.canonical(UserCode.shown($0)) == $0 })
    }
}
