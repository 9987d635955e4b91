import CCurl

/// libcurl's list of header fields, freed with this.
final class HeaderList {
    let list: UnsafeMutablePointer<curl_slist>?

    init(_ headers: [(name: String, value: String)]) {
        // No waiting for 100 Continue: none of our peers would say anything else.
        var list = curl_slist_append(nil, "Expect:")
        for (name, value) in headers {
            // A value of nothing is written with a semicolon.
            list = curl_slist_append(list, value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        self.list = list
    }

    deinit {
        curl_slist_free_all(list)
    }
}
