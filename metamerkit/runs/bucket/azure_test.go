package bucket

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

const account = "lab1"

// blobs is what a store uses of Azure's Blob service, as its reference describes it: the
// container "lab" of an account whose name stands in the path. It fails the test where
// a request is not one that the service takes.
type blobs struct {
	t      *testing.T
	mu     sync.Mutex
	of     map[string][]byte // objects
	staged map[string][]byte // blocks, by object and ID
	page   int               // entries of an answer to list
}

func newBlobs(t *testing.T) *blobs {
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "")
	was := retry.RetryDelay
	retry.RetryDelay = 5 * time.Millisecond
	t.Cleanup(func() { retry.RetryDelay = was })
	t.Setenv("AZURE_STORAGE_KEY", base64.StdEncoding.EncodeToString([]byte("a key")))
	return &blobs{t: t, of: map[string][]byte{}, staged: map[string][]byte{}, page: 2}
}

func (b *blobs) list(*testing.T) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.of))
}

func (b *blobs) get(t *testing.T, key string) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of[key] == nil {
		t.Fatalf("no object %s", key)
	}
	return slices.Clone(b.of[key])
}

func (b *blobs) put(_ *testing.T, key string, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of[key] = slices.Clone(data)
}

func (b *blobs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	refuse := func(status int, code string) {
		w.Header().Set("x-ms-error-code", code)
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
		}
	}
	if r.Header.Get("x-ms-version") < "2019-12-12" { // from then on one request takes 5,000 MiB
		b.t.Errorf("%s %s has the version %q", r.Method, r.URL, r.Header.Get("x-ms-version"))
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "SharedKey "+account+":") {
		refuse(http.StatusForbidden, "AuthenticationFailed")
		return
	}
	where, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"+account+"/"), "/")
	q := r.URL.Query()
	old, there := b.of[key]
	onlyNew := r.Header.Get("If-None-Match") == "*"
	switch {
	case where != "lab":
		refuse(http.StatusNotFound, "ContainerNotFound")
	case q.Get("restype") == "container" && q.Get("comp") == "list":
		b.listed(w, q.Get("prefix"), q.Get("delimiter"), q.Get("marker"))
	case q.Get("restype") == "container":
		w.WriteHeader(http.StatusOK)
	case r.Method == http.MethodPut && q.Get("comp") == "block":
		if id, err := base64.StdEncoding.DecodeString(q.Get("blockid")); err != nil || len(id) > 64 {
			b.t.Errorf("block ID %q", q.Get("blockid"))
		}
		b.staged[key+" "+q.Get("blockid")] = body
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut && onlyNew && there:
		refuse(http.StatusConflict, "BlobAlreadyExists")
	case r.Method == http.MethodPut && q.Get("comp") == "blocklist":
		var l struct{ Latest []string }
		if err := xml.Unmarshal(body, &l); err != nil {
			b.t.Error(err)
		}
		whole := []byte{}
		for _, id := range l.Latest {
			whole = append(whole, b.staged[key+" "+id]...)
		}
		b.of[key] = whole
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut:
		if r.Header.Get("x-ms-blob-type") != "BlockBlob" || r.Header.Get("x-ms-blob-content-type") == "" {
			b.t.Errorf("PUT %s has the headers %v", r.URL, r.Header)
		}
		b.of[key] = body
		w.WriteHeader(http.StatusCreated)
	case !there:
		refuse(http.StatusNotFound, "BlobNotFound")
	case r.Method == http.MethodDelete:
		delete(b.of, key)
		w.WriteHeader(http.StatusAccepted)
	default:
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, len(old)))
		w.Header().Set("Content-Type", "application/octet-stream")
		if v := r.Header.Get("x-ms-range"); v != "" {
			r.Header.Set("Range", v)
		}
		http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader(string(old)))
	}
}

// listed answers in pages, with a blob for each object and a prefix for each folder.
func (b *blobs) listed(w io.Writer, prefix, delimiter, marker string) {
	type properties struct {
		Modified string `xml:"Last-Modified"`
		Length   int    `xml:"Content-Length"`
	}
	type entry struct {
		Name       string
		Properties properties
	}
	var out struct {
		XMLName xml.Name `xml:"EnumerationResults"`
		Blobs   struct {
			Blob       []entry
			BlobPrefix []struct{ Name string }
		}
		NextMarker string
	}
	names := []string{}
	for k := range b.of {
		rest, ok := strings.CutPrefix(k, prefix)
		if i := strings.Index(rest, delimiter); ok && delimiter != "" && i >= 0 {
			k = prefix + rest[:i+1]
		}
		if ok && !slices.Contains(names, k) {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	from, _ := strconv.Atoi(marker) // "": the first
	to := min(from+b.page, len(names))
	for _, k := range names[from:to] {
		if strings.HasSuffix(k, "/") {
			out.Blobs.BlobPrefix = append(out.Blobs.BlobPrefix, struct{ Name string }{k})
			continue
		}
		out.Blobs.Blob = append(out.Blobs.Blob, entry{k, properties{time.Unix(1e9, 0).UTC().Format(http.TimeFormat), len(b.of[k])}})
	}
	if to < len(names) {
		out.NextMarker = strconv.Itoa(to)
	}
	data, err := xml.Marshal(out)
	if err != nil {
		b.t.Error(err)
	}
	fmt.Fprintf(w, "%s%s", xml.Header, data)
}

// Objects above one request go in blocks, and the condition holds for them too.
func TestAzureBlocks(t *testing.T) {
	m := newBlobs(t)
	srv := serve(t, m, m)
	opened, err := openAzure(t.Context(), "azblob://lab/p?account="+account+"&endpoint="+srv.URL+"/"+account)
	if err != nil {
		t.Fatal(err)
	}
	b := opened.(*azure)
	b.whole, b.piece = 10, 7
	put := putter(t, b)
	const long = "twenty-three characters"
	for key, text := range map[string]string{"short": "ten bytes.", "long": long, "empty": "", "d/x.csv": "1"} {
		if err := put(key, text, true); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if got := m.get(t, "p/"+key); string(got) != text {
			t.Errorf("%s is %q", key, got)
		}
		if err := put(key, "other "+text, true); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s again: %v", key, err)
		}
	}
	if len(m.staged) != 4 {
		t.Errorf("%d blocks, expected 4 of 23 bytes", len(m.staged))
	}
	if err := put("long", "seventeen bytes..", false); err != nil || string(m.get(t, "p/long")) != "seventeen bytes.." {
		t.Errorf("over it: %v", err)
	}
	list, err := b.List(t.Context(), "")
	if err != nil || len(list) != 3 || list[1] != (runs.Object{Key: "long", Size: 17, Modified: list[1].Modified}) || list[1].Modified.Unix() != 1e9 {
		t.Errorf("list: %v, %v", list, err)
	}
	if list, err := b.List(t.Context(), "d/"); err != nil || len(list) != 1 || list[0].Key != "d/x.csv" {
		t.Errorf("list of d/: %v, %v", list, err)
	}
	// Another writer between the look and the list of blocks.
	m.put(t, "p/new", []byte("x"))
	m.page = 1
	delete(m.of, "p/new")
	again := false
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("comp") == "block" && !again {
			again = true
			m.put(t, "p/new", []byte("theirs"))
		}
		m.ServeHTTP(w, r)
	})
	if err := put("new", long, true); !errors.Is(err, fs.ErrExist) || string(m.get(t, "p/new")) != "theirs" {
		t.Errorf("two writers: %v, %q is there", err, m.get(t, "p/new"))
	}
}

// What is missing is said, and no token is.
func TestAzureRefusals(t *testing.T) {
	m := newBlobs(t)
	srv := serve(t, m, m)
	at := "?account=" + account + "&endpoint=" + srv.URL + "/" + account
	refused := func(where, want string) {
		t.Helper()
		_, err := openAzure(t.Context(), where)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sig=") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, expected %q on one line, without a token", where, err, want)
		}
	}
	refused("azblob://none/x"+at, `container "none" does not exist`)
	refused("azblob://lab/x"+at+"&region=x", `"region"`)
	refused("azblob://lab/x?account=a&endpoint=nowhere", "not the URL of a server")
	t.Setenv("AZURE_STORAGE_KEY", "%")
	refused("azblob://lab/x"+at, "AZURE_STORAGE_KEY is not an account key")
	t.Setenv("AZURE_STORAGE_KEY", "")
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=secret")
	refused("azblob://lab/x"+at, "403 AuthenticationFailed")
	srv.down.Store(true)
	refused("azblob://lab/x"+at, srv.URL)
	t.Setenv("AZURE_STORAGE_ACCOUNT", "")
	refused("azblob://lab/x", "no storage account is named")
}

// The same against a server that somebody else wrote, such as Azurite:
//
//	METAMERS_TEST_AZURE=http://127.0.0.1:10000/devstoreaccount1 AZURE_STORAGE_ACCOUNT=devstoreaccount1 AZURE_STORAGE_KEY=… go test -run AzureServer
func TestAzureServer(t *testing.T) {
	endpoint := os.Getenv("METAMERS_TEST_AZURE")
	if endpoint == "" {
		t.Skip("no server for Azure's protocol: METAMERS_TEST_AZURE names one (docs/store.md)")
	}
	name := "metamers-" + strings.ToLower(rand.Text())
	c, err := azureContainer(name, "", endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := c.Delete(context.Background(), nil); err != nil {
			t.Error(err)
		}
	})
	opened, err := openAzure(t.Context(), "azblob://"+name+"/p?endpoint="+endpoint)
	if err != nil {
		t.Fatal(err)
	}
	b := opened.(*azure)
	b.whole, b.piece = 10, 7
	put := putter(t, b)
	for key, text := range map[string]string{"short": "ten bytes.", "long": "twenty-three characters", "empty": "", "a b/ü.csv": "1"} {
		if err := put(key, text, true); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if err := put(key, "other", true); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s again: %v", key, err)
		}
		r, err := b.Get(t.Context(), key)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != text {
			t.Errorf("%s is %q, %v", key, got, err)
		}
		r.Close()
	}
	if err := put("long", "seventeen bytes..", false); err != nil {
		t.Errorf("over it: %v", err)
	}
	if list, err := b.List(t.Context(), ""); err != nil || len(list) != 3 || list[1].Key != "long" || list[1].Size != 17 || time.Since(list[1].Modified) > time.Hour {
		t.Errorf("list: %v, %v", list, err)
	}
	if list, err := b.List(t.Context(), "a b/"); err != nil || len(list) != 1 || list[0].Key != "a b/ü.csv" {
		t.Errorf("list: %v, %v", list, err)
	}
	// A block list with a condition that does not hold: no look before.
	client, none, empty := c.NewBlockBlobClient("p/long"), azcore.ETagAny, []string{}
	_, err = client.CommitBlockList(t.Context(), empty, &blockblob.CommitBlockListOptions{AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &none}}})
	if err := azurePlain(err); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a block list over an object: %v", err)
	}
	for range 2 {
		if err := b.Delete(t.Context(), "long"); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.Stat(t.Context(), "long"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted: %v", err)
	}
	if _, err := b.Get(t.Context(), "long"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted: %v", err)
	}
	// A store.
	srv := &server{where: "azblob://" + name + "/store?endpoint=" + endpoint}
	run := sample(1)
	w := begin(t, srv.on(t, t.TempDir()), run)
	if err := errors.Join(w.Save(runs.Checkpoint{State: []byte("7")}), w.Close()); err != nil {
		t.Fatal(err)
	}
	w = begin(t, srv.on(t, t.TempDir()), run)
	if c, err := w.Restore(); err != nil || c == nil || string(c.State) != "7" {
		t.Errorf("the checkpoint there: %v, %v", c, err)
	}
	if err := errors.Join(w.Finish(run, nil), w.Close()); err != nil {
		t.Fatal(err)
	}
	if got := srv.on(t, t.TempDir()).Verify(t.Context(), run.ID); got.State != runs.Whole {
		t.Errorf("%+v", got)
	}
	t.Setenv("AZURE_STORAGE_KEY", base64.StdEncoding.EncodeToString([]byte("another key")))
	if _, err := openAzure(t.Context(), "azblob://"+name+"/p?endpoint="+endpoint); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("with another key: %v", err)
	}
}

// putter puts a text as an object.
func putter(t *testing.T, b *azure) func(key, text string, onlyNew bool) error {
	path := filepath.Join(t.TempDir(), "f")
	return func(key, text string, onlyNew bool) error {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return b.Put(t.Context(), key, f, onlyNew)
	}
}
