internal import CulvertControl
internal import Foundation

/// Devices that wait for somebody to let them in (RFC 8628). A value; time and random bytes come in as
/// arguments.
///
/// They are in memory only: after a restart of the edge a device asks again.
struct DeviceLogins {
    /// How long codes are good.
    static let lifetimeSeconds = 600.0
    /// How long a device waits between two polls.
    static let intervalSeconds = 5.0
    /// Devices that may wait at once; beyond it the oldest is forgotten.
    static let maximumDevices = 1_000

    private struct Device {
        let label: String
        let address: String
        let expiresAt: Date
        var decision: Decision?
        /// The next poll before this is too early.
        var nextPoll: Date
        var interval: Double
    }

    private enum Decision: Equatable {
        case approved(AccountID)
        case denied
    }

    /// By the hash of the device's code.
    private var devices: [[UInt8]: Device] = [:]
    private var byUserCode: [String: [UInt8]] = [:]

    /// Devices that wait.
    var count: Int { self.devices.count }

    /// Adds a device. `hash` is its code's, `userCode` in the canonical form; false when that is taken.
    mutating func begin(
        hash: [UInt8],
        userCode: String,
        label: String,
        address: String,
        now: Date
    ) -> Bool {
        self.forget(now: now)
        guard self.byUserCode[userCode] == nil, self.devices[hash] == nil else { return false }
        self.byUserCode[userCode] = hash
        self.devices[hash] = Device(
            label: label,
            address: address,
            expiresAt: now + Self.lifetimeSeconds,
            nextPoll: now,
            interval: Self.intervalSeconds
        )
        return true
    }

    /// What a poll is told.
    enum Poll: Equatable {
        /// A session is to be made for the account; the device is forgotten.
        case approved(AccountID, label: String)
        case pending
        /// It asks too often, and is to wait five seconds longer between polls from now on.
        case slowDown
        case denied
        /// Too late, or never heard of.
        case expired
    }

    mutating func poll(hash: [UInt8], now: Date) -> Poll {
        self.forget(now: now)
        guard var device = self.devices[hash] else { return .expired }
        switch device.decision {
        case .approved(let account):
            self.remove(hash)
            return .approved(account, label: device.label)
        case .denied:
            self.remove(hash)
            return .denied
        case nil:
            let isEarly = now < device.nextPoll
            if isEarly { device.interval += 5 }
            // A second of grace: clocks and networks are not exact.
            device.nextPoll = now + device.interval - 1
            self.devices[hash] = device
            return isEarly ? .slowDown : .pending
        }
    }

    /// Which device shows a code: its label, and the address it asked from; nil when none does.
    func device(userCode: String, now: Date) -> (label: String, address: String)? {
        guard let hash = self.byUserCode[userCode], let device = self.devices[hash],
            now < device.expiresAt, device.decision == nil
        else { return nil }
        return (device.label, device.address)
    }

    /// Lets a device in as an account, or with nil turns it away; false when no device that waits shows the
    /// code.
    mutating func decide(userCode: String, account: AccountID?, now: Date) -> Bool {
        guard self.device(userCode: userCode, now: now) != nil,
            let hash = self.byUserCode[userCode]
        else { return false }
        self.devices[hash]?.decision = account.map { .approved($0) } ?? .denied
        return true
    }

    private mutating func remove(_ hash: [UInt8]) {
        self.devices[hash] = nil
        self.byUserCode = self.byUserCode.filter { $0.value != hash }
    }

    private mutating func forget(now: Date) {
        self.devices = self.devices.filter { now < $0.value.expiresAt }
        while self.devices.count >= Self.maximumDevices,
            let oldest = self.devices.min(by: { $0.value.expiresAt < $1.value.expiresAt })
        {
            self.devices[oldest.key] = nil
        }
        self.byUserCode = self.byUserCode.filter { self.devices[$0.value] != nil }
    }
}
