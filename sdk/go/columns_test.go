package neuroquantum

import (
	"reflect"
	"testing"
	"time"

	nqv1 "neuroquantum.dev/go/neuroquantum/v1"
)

func meta(kind nqv1.DataType) []*nqv1.ColumnMeta {
	return []*nqv1.ColumnMeta{{Name: "c", Type: &nqv1.Type{DataType: kind}}}
}

func TestRowsDecodesEveryLayout(t *testing.T) {
	for _, test := range []struct {
		kind   nqv1.DataType
		column *nqv1.Column
		want   []any
	}{
		{nqv1.DataType_DATA_TYPE_BOOL, &nqv1.Column{Data: []byte{0b01}}, []any{true, false}},
		{nqv1.DataType_DATA_TYPE_INT16, &nqv1.Column{Data: []byte{0xff, 0xff, 1, 0}}, []any{int64(-1), int64(1)}},
		{nqv1.DataType_DATA_TYPE_INT32,
			&nqv1.Column{Data: []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, NullCount: 1, Validity: []byte{1}},
			[]any{int64(-1), nil}},
		{nqv1.DataType_DATA_TYPE_TEXT,
			&nqv1.Column{Data: []byte("abc"), Offsets: []byte{0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0}},
			[]any{"a", "bc"}},
		{nqv1.DataType_DATA_TYPE_DATE, &nqv1.Column{Data: []byte{0, 0, 0, 0, 1, 0, 0, 0}},
			[]any{time.Unix(0, 0).UTC(), time.Unix(86400, 0).UTC()}},
	} {
		rows, err := Rows(meta(test.kind), &nqv1.ColumnBatch{RowCount: 2, Columns: []*nqv1.Column{test.column}})
		if err != nil {
			t.Errorf("%v: %v", test.kind, err)
			continue
		}
		if got := []any{rows[0][0], rows[1][0]}; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v: got %v, want %v", test.kind, got, test.want)
		}
	}
}

func TestRowsRefusesWhatLeadsAstray(t *testing.T) {
	text := nqv1.DataType_DATA_TYPE_TEXT
	for name, test := range map[string]struct {
		kind   nqv1.DataType
		column *nqv1.Column
	}{
		"short data":        {nqv1.DataType_DATA_TYPE_INT64, &nqv1.Column{Data: make([]byte, 15)}},
		"short bitmap":      {nqv1.DataType_DATA_TYPE_BOOL, &nqv1.Column{}},
		"no offsets":        {text, &nqv1.Column{Data: []byte("abc")}},
		"offset beyond":     {text, &nqv1.Column{Data: []byte("a"), Offsets: []byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}}},
		"offsets backwards": {text, &nqv1.Column{Data: []byte("abc"), Offsets: []byte{0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0}}},
		"negative offset":   {text, &nqv1.Column{Data: []byte("abc"), Offsets: []byte{0, 0, 0, 0, 255, 255, 255, 255, 2, 0, 0, 0}}},
	} {
		if _, err := Rows(meta(test.kind), &nqv1.ColumnBatch{RowCount: 2, Columns: []*nqv1.Column{test.column}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := Rows(nil, &nqv1.ColumnBatch{Columns: []*nqv1.Column{{}}}); err == nil {
		t.Error("more columns than the result: accepted")
	}
}
