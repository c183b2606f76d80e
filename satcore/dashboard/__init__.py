"""What the pages are made of: the only part of satcore that knows Streamlit and Plotly."""
