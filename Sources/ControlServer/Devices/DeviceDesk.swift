internal import Crypto
internal import CulvertControl
internal import Foundation

/// The devices of an edge that wait to be let in.
actor DeviceDesk {
    private var logins = DeviceLogins()

    /// Adds a device; its own secret code, and the one that it shows.
    func begin(label: String, address: String, now: Date) -> (deviceCode: String, userCode: String)
    {
        let secret = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }.base64URL
        while true {
            let code = UserCode.make()
            let isNew = self.logins.begin(
                hash: Self.hash(secret),
                userCode: code,
                label: label,
                address: address,
                now: now
            )
            if isNew { return (secret, UserCode.shown(code)) }
        }
    }

    func poll(_ deviceCode: String, now: Date) -> DeviceLogins.Poll {
        self.logins.poll(hash: Self.hash(deviceCode), now: now)
    }

    func device(_ userCode: String, now: Date) -> (label: String, address: String)? {
        self.logins.device(userCode: UserCode.canonical(userCode), now: now)
    }

    func decide(_ userCode: String, account: AccountID?, now: Date) -> Bool {
        self.logins.decide(userCode: UserCode.canonical(userCode), account: account, now: now)
    }

    private static func hash(_ code: String) -> [UInt8] {
        Array(SHA256.hash(data: Data(code.utf8)))
    }
}
